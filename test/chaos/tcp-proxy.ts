// The address in DATABASE_URL: passes connections on to whichever server is the primary now.
import { connect, createServer, type Socket } from 'node:net';

export type TcpProxy = {
  port: number;
  /** Ends all connections; new ones go to this port of the loopback address. */
  aim(port: number): void;
  /** Ends all connections and refuses new ones. */
  cut(): void;
  stop(): Promise<void>;
};

export async function startTcpProxy(): Promise<TcpProxy> {
  const open = new Set<Socket>();
  let target: number | null = null;
  const server = createServer({ noDelay: true }, (client) => {
    client.on('error', () => client.destroy());
    if (target === null) return void client.destroy();
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    target = null;
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as { port: number }).port,
    cut,
    aim(port) {
      cut();
      target = port;
    },
    async stop() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A server that takes connections and never answers. */
export async function startSilentServer(): Promise<Pick<TcpProxy, 'port' | 'stop'>> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    async stop() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

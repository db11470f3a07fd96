// The listening server: node:http, with timeouts, and a stop that lets requests finish.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ListenOptions = {
  host: string;
  port: number;
  /** Milliseconds until a client must have sent its request, and its headers. */
  timeouts: { request: number; headers: number };
};

/** How often connections are held to the timeouts, in ms: node's own half a minute would add to each of them. */
const TIMEOUT_CHECK = 100;

/** How often a stop looks for connections that have turned idle, in ms: far below what anyone waits for. */
const IDLE_CHECK = 50;

export type Listening = { url: string; server: Server; stop(): Promise<void> };

/** Listens; rejects if the address is taken. `stop` refuses new connections and waits for open requests. */
export async function listen(
  listener: RequestListener,
  { host, port, timeouts }: ListenOptions,
): Promise<Listening> {
  const server = createServer({ connectionsCheckingInterval: TIMEOUT_CHECK }, listener);
  server.requestTimeout = timeouts.request;
  server.headersTimeout = timeouts.headers;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${name}:${actual}`,
    server,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A connection that is kept alive turns idle only when its request is answered.
      const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK);
      await closed;
      clearInterval(idle);
    },
  };
}

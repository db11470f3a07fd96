// A proxy in front of PostgreSQL that cuts a connection when it sends a certain statement, such as COMMIT.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * What happens to a connection that sends a text `at`: it is cut before the server gets it; or after, when the server has
 * answered; or the answer is held back; or it comes together with what a server says that shuts down.
 */
export type Cut = { at: string; when: 'before' | 'after' | 'silent' | 'with the answer' };

export const COMMIT = 'commit\0';
export const BEGIN = 'begin isolation level';

/** Command tags of the statements that are answered last, although others were sent with them. */
const TAGS: Record<string, string> = { [COMMIT]: 'COMMIT\0', [BEGIN]: 'BEGIN\0' };

/** The message ErrorResponse of a server that shuts down (PostgreSQL: Frontend/Backend Protocol, Message Formats). */
const SHUT_DOWN = (() => {
  const fields = Buffer.from(
    'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0',
  );
  const head = Buffer.from('E____');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
})();

export async function startCuttingProxy(url: string) {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const proxy = {
    url: '',
    cut: null as Cut | null,
    /** How many connections were cut or silenced. */
    cuts: 0,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const destroy = () => [client, upstream].map((socket) => socket.destroy());
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', destroy).on('close', destroy);
    }
    let when: Cut['when'] | null = null;
    let tag = '';
    let answers = Buffer.alloc(0);
    client.on('data', (chunk) => {
      if (proxy.cut && chunk.includes(proxy.cut.at)) {
        when = proxy.cut.when;
        tag = TAGS[proxy.cut.at] ?? '';
        proxy.cuts += 1;
      }
      if (when === 'before') destroy();
      else upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (when === 'after') {
        answers = Buffer.concat([answers, chunk]);
        if (answers.includes(tag)) destroy();
      } else if (when === 'with the answer') client.end(Buffer.concat([chunk, SHUT_DOWN]));
      else if (when !== 'silent') client.write(chunk);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  proxy.url = url.replace(`:${port}/`, `:${(server.address() as AddressInfo).port}/`);
  return proxy;
}

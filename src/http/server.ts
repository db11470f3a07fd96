// The listening server: node:http, with timeouts, and a stop that lets requests finish.
import {
  createServer,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type CorsOrigins, corsHeaders } from './cors.ts';

export type ListenOptions = {
  host: string;
  port: number;
  /** Milliseconds until a client must have sent its request, and its headers. */
  timeouts: { request: number; headers: number };
  /** Whose pages may read what is answered to requests that break off; none by default. */
  corsOrigins?: CorsOrigins;
};

/** How often connections are held to the timeouts, in ms: node's own half a minute would add to each of them. */
const TIMEOUT_CHECK = 100;

/** How often a stop looks for connections that have turned idle, in ms: far below what anyone waits for. */
const IDLE_CHECK = 50;

export type Listening = { url: string; server: Server; stop(): Promise<void> };

/** Listens; rejects if the address is taken. `stop` refuses new connections and waits for open requests. */
export async function listen(
  listener: RequestListener,
  { host, port, timeouts, corsOrigins = [] }: ListenOptions,
): Promise<Listening> {
  const server = createServer({ connectionsCheckingInterval: TIMEOUT_CHECK }, listener);
  server.requestTimeout = timeouts.request;
  server.headersTimeout = timeouts.headers;
  answerBroken(server, corsOrigins);
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

/** What node answers to a request that breaks off, by the code of the error; 400 for all others. */
const STATUS: Record<string, number> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

/**
 * Answers what is no whole request as node does, with CORS headers beside. The origin is known once all headers have come;
 * before that a page can read the answer only where any origin may.
 */
function answerBroken(server: Server, origins: CorsOrigins): void {
  const latest = new WeakMap<Duplex, ServerResponse>();
  server.on('request', ({ socket }, response) => latest.set(socket, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const response = latest.get(socket);
    const open = response && !response.writableFinished ? response : null;
    // An answer that is under way cannot be followed by another.
    if (!socket.writable || open?.headersSent) return socket.destroy(error);
    const status = STATUS[error.code ?? ''] ?? 400;
    const headers = { connection: 'close', ...corsHeaders(origins, open?.req.headers.origin) };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', ''].join('\r\n');
    return socket.end(head, () => socket.destroy(error));
  });
}

// The listening HTTP server: timeouts, answers to broken requests, and a graceful stop.
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
  /** Milliseconds within which a client must send the whole request, and its headers. */
  timeouts: { request: number; headers: number };
  /** Origins that may read the responses to broken requests; none by default. */
  corsOrigins?: CorsOrigins;
};

/** Interval of node's timeout check, in ms. Its default of 30 seconds would be added to each timeout. */
const TIMEOUT_CHECK = 100;

/** Interval at which a stop closes idle connections, in ms: short enough not to delay the stop noticeably. */
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
  const open = openResponses(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: listenUrl(host, actual),
    server,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A keep-alive connection becomes idle only after its request is answered, and a stream only when it is ended.
      const end = () => {
        for (const response of open) if (isStream(response)) response.end();
        server.closeIdleConnections();
      };
      end();
      const idle = setInterval(end, IDLE_CHECK);
      await closed;
      clearInterval(idle);
    },
  };
}

/** The URL of a listening address. */
export const listenUrl = (host: string, port: number): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
/** The responses that are not sent whole yet. */
function openResponses(server: Server): ReadonlySet<ServerResponse> {
  const open = new Set<ServerResponse>();
  server.on('request', (_request, response) => {
    open.add(response);
    response.once('close', () => open.delete(response));
  });
  return open;
}

const isStream = (response: ServerResponse): boolean =>
  !response.writableEnded && String(response.getHeader('content-type')).startsWith('text/event-stream');

/** Node's statuses for broken requests, by error code; 400 for all other codes. */
const STATUS: Record<string, number> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
};

/**
 * Answers malformed or incomplete requests as node does, but with CORS headers. The origin is known once all headers have
 * arrived; before that, a page can read the response only if all origins are allowed.
 */
function answerBroken(server: Server, origins: CorsOrigins): void {
  const latest = new WeakMap<Duplex, ServerResponse>();
  server.on('request', ({ socket }, response) => latest.set(socket, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const response = latest.get(socket);
    const open = response && !response.writableFinished ? response : null;
    // A response has begun, so no other can be sent.
    if (!socket.writable || open?.headersSent) return socket.destroy(error);
    const status = STATUS[error.code ?? ''] ?? 400;
    const headers = { connection: 'close', ...corsHeaders(origins, open?.req.headers.origin) };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', ''].join('\r\n');
    return socket.end(head, () => socket.destroy(error));
  });
}

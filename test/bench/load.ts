// Load over keep-alive connections, by a client so small that it takes as little of the machine as can be.
import { connect, type Socket } from 'node:net';

/** A write among reads: its latency is kept apart. `done` runs once it was answered well. */
export type WriteRequest = { bytes: Buffer; done(): void };

export type Load = {
  requests: number;
  failures: number;
  seconds: number;
  latencies: Float64Array;
  writeLatencies: Float64Array;
};

/** The bytes of a POST of the body, or of a GET without one. */
export function requestBytes(path: string, body: unknown, headers: Record<string, string>): Buffer {
  const payload = body === undefined ? '' : JSON.stringify(body);
  const type = body === undefined ? '' : 'content-type: application/json\r\n';
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(
    `${body === undefined ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${type}accept: application/json\r\n${lines.join('')}` +
      `content-length: ${Buffer.byteLength(payload)}\r\n\r\n${payload}`,
  );
}

export type LoadOptions = {
  /** With several, connections take them in turn. */
  port: number | readonly number[];
  connections: number;
  seconds: number;
  /** Ends it earlier, after so many answers. */
  enough?: number;
  next: () => Buffer | WriteRequest;
};

/** Keeps one request open on each connection until the time is over; answers that are not 200 without errors fail. */
export async function applyLoad({
  port,
  connections,
  seconds,
  enough = Number.POSITIVE_INFINITY,
  next,
}: LoadOptions): Promise<Load> {
  const latencies: number[] = [];
  const writeLatencies: number[] = [];
  const ports = [port].flat();
  let failures = 0;
  const started = performance.now();
  const end = started + seconds * 1_000;
  const one = async (_: unknown, at: number) => {
    const socket = connect({ port: ports[at % ports.length]!, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const answer = answers(socket);
    while (performance.now() < end && latencies.length + writeLatencies.length < enough) {
      const sent = performance.now();
      const request = next();
      const write = Buffer.isBuffer(request) ? null : request;
      socket.write(write ? write.bytes : (request as Buffer));
      const { status, body } = await answer();
      (write ? writeLatencies : latencies).push(performance.now() - sent);
      if (status !== 200 || body.includes('"errors"') || body.includes('"code":')) failures += 1;
      else write?.done();
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: connections }).map(one));
  return {
    requests: latencies.length + writeLatencies.length,
    failures,
    seconds: (performance.now() - started) / 1_000,
    latencies: Float64Array.from(latencies).sort(),
    writeLatencies: Float64Array.from(writeLatencies).sort(),
  };
}

export const percentile = (sorted: Float64Array, share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

type Answer = { status: number; body: Buffer };

/** Reads the answers of a connection one after the other; of HTTP/1.1 it knows lengths and chunks. */
function answers(socket: Socket): () => Promise<Answer> {
  let buffered: Buffer = Buffer.alloc(0);
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;
  const fail = (error: Error) => waiting?.reject(error);
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the connection was closed')));
  socket.on('data', (chunk: Buffer) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    const answer = takeAnswer(buffered);
    if (!answer || !waiting) return;
    buffered = buffered.subarray(answer.end);
    const { resolve } = waiting;
    waiting = null;
    resolve(answer);
  });
  return () =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject };
    });
}

function takeAnswer(bytes: Buffer): (Answer & { end: number }) | null {
  const head = bytes.indexOf('\r\n\r\n');
  if (head < 0) return null;
  const headers = bytes.toString('latin1', 0, head);
  const status = Number(headers.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(headers)?.[1];
  if (length !== undefined) {
    const end = head + 4 + Number(length);
    return bytes.length < end ? null : { status, body: bytes.subarray(head + 4, end), end };
  }
  const chunks: Buffer[] = [];
  for (let at = head + 4; ; ) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    const end = line + 2 + size + 2;
    if (bytes.length < end) return null;
    if (size === 0) return { status, body: Buffer.concat(chunks), end };
    chunks.push(bytes.subarray(line + 2, line + 2 + size));
    at = end;
  }
}

// Reads request bodies whole, up to a size limit, and rejects encoded ones before any handler sees them.
import { type Asked, type Problem, problemResponse } from './problem.ts';

/**
 * An oversized body is read and discarded up to this many times the limit. Node closes the connection of a body that is
 * left half read, and a client that is cut off while sending never sees the 413.
 */
const DRAIN_FACTOR = 8;

/**
 * Returns the request with its body read, or an error in the format of the requested API: 415 if the body is encoded, 413
 * if more than `limit` bytes are announced or received, 400 if the body ends early.
 */
export async function withLimitedBody(
  request: Request,
  limit: number,
  asked: Asked,
): Promise<Request | Response> {
  if (request.body === null) return request;
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') return problemResponse(asked, ENCODED);
  if (Number(request.headers.get('content-length')) > limit) return tooLarge(limit, asked);
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of request.body) {
      size += chunk.byteLength;
      if (size <= limit) chunks.push(chunk);
      else if (size > limit * DRAIN_FACTOR) break;
    }
  } catch {
    return problemResponse(asked, INCOMPLETE);
  }
  if (size > limit) return tooLarge(limit, asked);
  const { url, method, headers, signal } = request;
  return new Request(url, { method, headers, signal, body: Buffer.concat(chunks) });
}

/** RFC 9110, section 15.5.16. A compressed body may expand beyond the limit, and bodies of this size need no compression. */
const ENCODED: Problem = {
  status: 415,
  code: 'UNSUPPORTED_MEDIA_TYPE',
  message: 'Request bodies must not have a content encoding',
  headers: { 'accept-encoding': 'identity' },
};

const INCOMPLETE: Problem = { status: 400, code: 'BAD_REQUEST', message: 'The request body is incomplete' };

const tooLarge = (limit: number, asked: Asked): Response =>
  problemResponse(asked, {
    status: 413,
    code: 'LIMIT_EXCEEDED',
    message: `The body is larger than ${limit} bytes`,
    details: { limit },
    headers: { connection: 'close' },
  });

// Bodies up to a limit, and as they are: read whole, so that nothing behind this ever meets another one.
import { type Asked, type Problem, problemResponse } from './problem.ts';

/**
 * How many times the limit is still read and thrown away: who is cut off while sending never sees the 413, since node
 * closes the connection of a body that is left half read.
 */
const DRAINED = 8;

/**
 * The request with its body read, or a refusal in the form of the API that was asked: 415 if the body is encoded, 413
 * if more than `limit` bytes are announced or have come, 400 if it broke off.
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
      else if (size > limit * DRAINED) break;
    }
  } catch {
    return problemResponse(asked, BROKEN_OFF);
  }
  if (size > limit) return tooLarge(limit, asked);
  const { url, method, headers, signal } = request;
  return new Request(url, { method, headers, signal, body: Buffer.concat(chunks) });
}

/** RFC 9110, section 15.5.16. What is small when compressed may be large, and no client needs it for bodies of this size. */
const ENCODED: Problem = {
  status: 415,
  code: 'UNSUPPORTED_MEDIA_TYPE',
  message: 'Bodies are read without a content encoding only',
  headers: { 'accept-encoding': 'identity' },
};

const BROKEN_OFF: Problem = { status: 400, code: 'BAD_REQUEST', message: 'The body broke off' };

const tooLarge = (limit: number, asked: Asked): Response =>
  problemResponse(asked, {
    status: 413,
    code: 'LIMIT_EXCEEDED',
    message: `The body is larger than ${limit} bytes`,
    details: { limit },
    headers: { connection: 'close' },
  });

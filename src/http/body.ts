// Bodies up to a limit: read whole, so that nothing behind this ever meets a larger one.

/**
 * How many times the limit is still read and thrown away: who is cut off while sending never sees the 413, since node
 * closes the connection of a body that is left half read.
 */
const DRAINED = 8;

/**
 * The request with its body read, or a 413 if more than `limit` bytes are announced or have come, in the form
 * of the face that was asked.
 */
export async function withLimitedBody(
  request: Request,
  limit: number,
  bodyOf: (message: string, limit: number) => object = graphqlErrors,
): Promise<Request | Response> {
  if (request.body === null) return request;
  if (Number(request.headers.get('content-length') ?? 0) > limit) return tooLarge(limit, bodyOf);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size <= limit) chunks.push(chunk);
    else if (size > limit * DRAINED) break;
  }
  if (size > limit) return tooLarge(limit, bodyOf);
  const { url, method, headers, signal } = request;
  return new Request(url, { method, headers, signal, body: Buffer.concat(chunks) });
}

const graphqlErrors = (message: string, limit: number) => ({
  errors: [{ message, extensions: { code: 'LIMIT_EXCEEDED', limit } }],
});

function tooLarge(limit: number, bodyOf: (message: string, limit: number) => object): Response {
  const body = bodyOf(`The body is larger than ${limit} bytes`, limit);
  return Response.json(body, { status: 413, headers: { connection: 'close' } });
}

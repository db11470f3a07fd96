// Bodies up to a limit: read whole, so that nothing behind this ever meets a larger one.

/**
 * The request with its body read, or a 413 as soon as more than `limit` bytes are announced or have come, in the form
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
    if (size > limit) return tooLarge(limit, bodyOf);
    chunks.push(chunk);
  }
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

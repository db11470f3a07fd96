// Compresses responses with br or gzip for clients that accept it, where it saves more than it costs.
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { parseAccept } from 'hono/utils/accept';
import { COMPRESSIBLE_CONTENT_TYPE_REGEX } from 'hono/utils/compress';

/** Bodies up to this many bytes are sent as they are: they fit into one packet anyway. */
const THRESHOLD = 1_024;

/** Brotli's quality. Its default (11) takes a hundred times as long, too long for responses that are read once. */
const QUALITY = 4;

const [brotliAsync, gzipAsync] = [promisify(brotliCompress), promisify(gzip)];

const ENCODERS = {
  br: (body: string | Buffer): Promise<Buffer> =>
    brotliAsync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY } }),
  gzip: (body: string | Buffer): Promise<Buffer> => gzipAsync(body),
};
type Encoding = keyof typeof ENCODERS;

/**
 * Compressed pages by encoding and entity tag. The cache holds promises, so that concurrent requests share one compression.
 * It is bounded by the number of pages, which are the same for all clients. Responses to authenticated requests are never
 * cached: they are personal, and each is read once.
 */
const pages = new Map<string, Promise<Buffer>>();

async function compressPage(body: string | Buffer, encoding: Encoding, tag: string): Promise<Buffer> {
  const key = `${encoding} ${tag}`;
  const cached = pages.get(key);
  if (cached) return cached;
  const compressed = ENCODERS[encoding](body);
  pages.set(key, compressed);
  // Failures are not cached.
  compressed.catch(() => pages.delete(key));
  return compressed;
}

/** Whether responses of this media type may be compressed. Event streams are not: events must not wait for a full block. */
export const isCompressible = (contentType: string): boolean =>
  COMPRESSIBLE_CONTENT_TYPE_REGEX.test(contentType);

export type Encoded = { body: string | Buffer; headers: Record<string, string> };

/**
 * Encodes a body as the client prefers and returns it with the headers of that encoding. `page` is the strong entity tag of a
 * page; the compressed form gets a tag of its own (RFC 9110, section 8.8.3.3).
 */
export async function encode(
  body: string | Buffer,
  accepted: string | undefined,
  page: string | null,
): Promise<Encoded> {
  const encoding = preferredEncoding(accepted);
  if (encoding === null || Buffer.byteLength(body) <= THRESHOLD) return { body, headers: {} };
  const headers = { 'content-encoding': encoding };
  if (page === null) return { body: await ENCODERS[encoding](body), headers };
  const etag = page.replace(/"$/, `-${encoding}"`);
  return { body: await compressPage(body, encoding, page), headers: { ...headers, etag } };
}

/** The acceptable encoding with the highest quality value, br before gzip (RFC 9110, section 12.5.3). */
function preferredEncoding(accepted: string | undefined): Encoding | null {
  if (accepted === undefined) return null;
  const asked = parseAccept(accepted);
  const quality = (name: string) =>
    (asked.find(({ type }) => type.toLowerCase() === name) ?? asked.find(({ type }) => type === '*'))?.q ?? 0;
  const [br, gzip] = [quality('br'), quality('gzip')];
  if (Math.max(br, gzip) === 0) return null;
  return br >= gzip ? 'br' : 'gzip';
}

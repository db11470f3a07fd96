// Compression of answers: br or gzip, for clients that ask for it, where it saves more than it costs.
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { parseAccept } from 'hono/utils/accept';
import { COMPRESSIBLE_CONTENT_TYPE_REGEX } from 'hono/utils/compress';

/** Smaller bodies fit into a packet anyway, in bytes. */
const THRESHOLD = 1_024;

/** Brotli's own default takes a hundred times as long, for answers that are read once. */
const QUALITY = 4;

const [brotliAsync, gzipAsync] = [promisify(brotliCompress), promisify(gzip)];

const ENCODERS = {
  br: (body: string | Buffer): Promise<Buffer> =>
    brotliAsync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY } }),
  gzip: (body: string | Buffer): Promise<Buffer> => gzipAsync(body),
};
type Encoding = keyof typeof ENCODERS;

/**
 * Compressed pages by encoding and entity tag, of those who ask at once too: as many as the server has pages, which are the
 * same for everybody. Answers to bearers are never put by: they are personal, and each is read once.
 */
const pages = new Map<string, Promise<Buffer>>();

async function compressPage(body: string | Buffer, encoding: Encoding, tag: string): Promise<Buffer> {
  const key = `${encoding} ${tag}`;
  const known = pages.get(key);
  if (known) return known;
  const compressed = ENCODERS[encoding](body);
  pages.set(key, compressed);
  // A failure is not put by.
  compressed.catch(() => pages.delete(key));
  return compressed;
}

/** Whether answers of this media type may be compressed; streams of events are not, which must not wait for a block. */
export const isCompressible = (contentType: string): boolean =>
  COMPRESSIBLE_CONTENT_TYPE_REGEX.test(contentType);

export type Encoded = { body: string | Buffer; headers: Record<string, string> };

/**
 * A compressible body as the client asked for it, with the headers that tell how it is encoded. `page` is the strong entity
 * tag of a page: that of its compressed form is another (RFC 9110, section 8.8.3.3).
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

/** RFC 9110, section 12.5.3: of the encodings that are acceptable the one that is liked best, br before gzip. */
function preferredEncoding(accepted: string | undefined): Encoding | null {
  if (accepted === undefined) return null;
  const asked = parseAccept(accepted);
  const quality = (name: string) =>
    (asked.find(({ type }) => type.toLowerCase() === name) ?? asked.find(({ type }) => type === '*'))?.q ?? 0;
  const [br, gzip] = [quality('br'), quality('gzip')];
  if (Math.max(br, gzip) === 0) return null;
  return br >= gzip ? 'br' : 'gzip';
}

// Compression of answers: br or gzip, for clients that ask for it, where it saves more than it costs.
import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { parseAccept } from 'hono/utils/accept';
import { COMPRESSIBLE_CONTENT_TYPE_REGEX } from 'hono/utils/compress';
import { LRUCache } from 'lru-cache';

/** Smaller bodies fit into a packet anyway, in bytes. */
const THRESHOLD = 1_024;

/** Brotli's own default takes a hundred times as long, for answers that are read once. */
const QUALITY = 4;

const [brotliAsync, gzipAsync] = [promisify(brotliCompress), promisify(gzip)];

const ENCODERS = {
  br: (body: Buffer): Promise<Buffer> =>
    brotliAsync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: QUALITY } }),
  gzip: (body: Buffer): Promise<Buffer> => gzipAsync(body),
};
type Encoding = keyof typeof ENCODERS;

/** Bodies from this size on are mostly pages, always the same, which anybody may ask for: they are compressed once. */
const CACHED_FROM = 512 * 1_024;
/** Bytes of compressed bodies in the cache: those of all pages, in both encodings, take a third. */
const MAX_CACHED = 16 * 1_024 * 1_024;
const cache = new LRUCache<string, Buffer>({ maxSize: MAX_CACHED, sizeCalculation: ({ length }) => length });

async function compress(body: Buffer, encoding: Encoding): Promise<Buffer> {
  if (body.length < CACHED_FROM) return ENCODERS[encoding](body);
  const key = `${encoding} ${hash('sha256', body)}`;
  const encoded = cache.get(key) ?? (await ENCODERS[encoding](body));
  cache.set(key, encoded);
  return encoded;
}

/** Whether answers of this media type may be compressed; streams of events are not, which must not wait for a block. */
export const isCompressible = (contentType: string): boolean =>
  COMPRESSIBLE_CONTENT_TYPE_REGEX.test(contentType);

export type Encoded = { body: string | Buffer; headers: Record<string, string> };

/** A compressible body as the client asked for it, with the headers that tell how it is encoded. */
export async function encode(body: string | Buffer, accepted: string | undefined): Promise<Encoded> {
  if (Buffer.byteLength(body) <= THRESHOLD) return { body, headers: {} };
  const vary = { vary: 'Accept-Encoding' };
  const encoding = preferredEncoding(accepted);
  if (encoding === null) return { body, headers: vary };
  const encoded = await compress(Buffer.from(body), encoding);
  return { body: encoded, headers: { ...vary, 'content-encoding': encoding } };
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

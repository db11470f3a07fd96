// Parses JSON without losing values, and validates the JSON objects that are stored with groups.
import { z } from 'zod';
import { isStorable } from './text.ts';

export type JsonObject = { [key: string]: JsonValue };
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

/** Maximum size of an object as JSON: attributes are read with every group. */
const MAX_BYTES = 16 * 1_024;
/** Maximum levels of an object: enough for any attributes, and safe for recursion. */
const MAX_LEVELS = 8;

/** A JSON object of bounded size and depth that can be stored without loss. */
export const jsonObject = z
  .custom<JsonObject>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be a JSON object',
  )
  // Abort on objects that are too deep: the checks below recurse and would overflow the stack.
  .refine((value) => levels(value) <= MAX_LEVELS, {
    error: `must have at most ${MAX_LEVELS} levels`,
    abort: true,
  })
  .refine((value) => {
    const text = JSON.stringify(value);
    return Buffer.byteLength(text) <= MAX_BYTES;
  }, `must have at most ${MAX_BYTES} bytes as JSON`)
  .refine((value) => !hasUnstorableText(value), 'must not contain NUL or lone surrogates')
  .refine((value) => !hasInexactNumber(value), 'must not contain numbers beyond double precision');

function levels(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let deepest = 0;
  const pending: [JsonValue, number][] = [[value, 1]];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [current, depth] = next;
    deepest = Math.max(deepest, depth);
    for (const inner of Object.values(current as object)) {
      if (typeof inner === 'object' && inner !== null) pending.push([inner, depth + 1]);
    }
  }
  return deepest;
}

function hasUnstorableText(value: JsonValue): boolean {
  if (typeof value === 'string') return !isStorable(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, inner]) => hasUnstorableText(key) || hasUnstorableText(inner));
}

/** Whether a number may have been rounded: an integer beyond 2^53, Infinity, or the NaN of `parseJson`. */
function hasInexactNumber(value: JsonValue): boolean {
  if (typeof value === 'number')
    return Number.isInteger(value) ? !Number.isSafeInteger(value) : !Number.isFinite(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasInexactNumber);
}

/** Matches texts that may contain a number beyond double precision: 16 or more digits, or an exponent of three digits. */
const SUSPECT = /[\d.]{16}|\d[eE][+-]?\d{3}/;

/** An object of a JSON text has a key twice, at `path`. `JSON.parse` would silently take the last value. */
export class RepeatedKey extends SyntaxError {
  readonly path: readonly (string | number)[];

  constructor(path: readonly (string | number)[]) {
    super(`${path.join('.')} ${RepeatedKey.reason}`);
    this.path = path;
  }

  /** The message, without the path. */
  static readonly reason = 'is given twice';
}

/**
 * Parses JSON like `JSON.parse`, except that numbers that would be rounded become NaN, which no input schema accepts.
 * Throws RepeatedKey if an object has a key twice.
 */
export function parseJson(text: string): unknown {
  const value = SUSPECT.test(text) ? parseExact(text) : JSON.parse(text);
  const repeated = repeatedKey(text);
  if (repeated) throw new RepeatedKey(repeated);
  return value;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Path of the first repeated key in a valid JSON text, or null. Every body is scanned, so it compares character codes. */
function repeatedKey(text: string): (string | number)[] | null {
  /** Stack of open objects and arrays, with the current key or index in each. */
  const open: { keys: Set<string> | null; step: string | number }[] = [];
  for (let position = 0; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    if (code === OPEN_OBJECT) open.push({ keys: new Set(), step: '' });
    else if (code === OPEN_ARRAY) open.push({ keys: null, step: 0 });
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) open.pop();
    else if (code === COMMA) {
      const inner = open.at(-1)!;
      if (typeof inner.step === 'number') inner.step += 1;
    } else if (code === QUOTE) {
      const end = endOfString(text, position);
      const inner = open.at(-1);
      if (inner?.keys && isKey(text, end)) {
        const written = text.slice(position + 1, end);
        const key = written.includes('\\') ? (JSON.parse(`"${written}"`) as string) : written;
        inner.step = key;
        if (inner.keys.has(key)) return open.map(({ step }) => step);
        inner.keys.add(key);
      }
      position = end;
    }
  }
  return null;
}

/** Position of the quote that ends the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
}

/** Whether a colon follows the string that ends at `end`. No whitespace of JSON has a code above the space's. */
function isKey(text: string, end: number): boolean {
  let next = end + 1;
  while (text.charCodeAt(next) <= SPACE) next += 1;
  return text.charCodeAt(next) === COLON;
}

function parseExact(text: string): unknown {
  try {
    return JSON.parse(text, exactNumber);
  } catch (cause) {
    // The reviver is applied recursively and may overflow the stack.
    if (cause instanceof RangeError) throw new SyntaxError('The JSON is nested too deeply', { cause });
    throw cause;
  }
}

function exactNumber(_key: string, value: unknown, { source }: { source?: string } = {}): unknown {
  return typeof value === 'number' ? parseNumber(source ?? String(value)) : value;
}

/** Maximum characters of a number that is checked. The largest double has 309 digits. */
const MAX_NUMBER_LENGTH = 400;

/** The number that a JSON text denotes; NaN if double precision would round it or the text is too long. */
export function parseNumber(text: string): number {
  if (text.length > MAX_NUMBER_LENGTH) return Number.NaN;
  const number = Number(text);
  return decimal(text) === decimal(String(number)) ? number : Number.NaN;
}

/** Canonical form of a number's text: its significant digits and their power of ten. */
function decimal(text: string): string | null {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  if (whole === '') return null;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign}${significant}e${power}`;
}

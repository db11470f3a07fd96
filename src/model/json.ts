// JSON objects that are stored with a group, and numbers that keep their value on the way there.
import { z } from 'zod';
import { isStorable } from './text.ts';

export type JsonObject = { [key: string]: JsonValue };
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

const MAX_BYTES = 16 * 1_024;
const MAX_LEVELS = 8;

/** A JSON object of bounded size that can be stored exactly. */
export const jsonObject = z
  .custom<JsonObject>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be a JSON object',
  )
  // What is too deep is judged no further: the checks below recurse, and would overflow the stack.
  .refine((value) => levels(value) <= MAX_LEVELS, {
    error: `must have at most ${MAX_LEVELS} levels`,
    abort: true,
  })
  .refine((value) => {
    const text = JSON.stringify(value);
    return Buffer.byteLength(text) <= MAX_BYTES;
  }, `must have at most ${MAX_BYTES} bytes as JSON`)
  .refine((value) => !hasUnstorableText(value), 'must not contain NUL or half characters')
  .refine((value) => !hasInexactNumber(value), 'must not contain numbers beyond double precision');

function levels(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let deepest = 0;
  const pending: [JsonValue, number][] = [[value, 1]];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [at, depth] = next;
    deepest = Math.max(deepest, depth);
    for (const inner of Object.values(at as object)) {
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

/** Integers that may stand for a neighbour of theirs (beyond 2^53), Infinity, and the NaN of `parseJson`. */
function hasInexactNumber(value: JsonValue): boolean {
  if (typeof value === 'number')
    return Number.isInteger(value) ? !Number.isSafeInteger(value) : !Number.isFinite(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasInexactNumber);
}

/** May hold a number that double precision cannot: 16 digits or more, or an exponent of three. */
const SUSPECT = /[\d.]{16}|\d[eE][+-]?\d{3}/;

/** A key that an object of a JSON text gives twice, by its path: `JSON.parse` would keep the last value alone. */
export class RepeatedKey extends SyntaxError {
  readonly path: readonly (string | number)[];

  constructor(path: readonly (string | number)[]) {
    super(`${path.join('.')} ${RepeatedKey.fault}`);
    this.path = path;
  }

  /** The fault in words, after the path. */
  static readonly fault = 'is given twice';
}

/**
 * `JSON.parse`, but numbers that would change their value are NaN, which no rule of input accepts, and a repeated key is
 * refused with `RepeatedKey`.
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

/** Where a valid JSON text first gives a key twice; null if it never does. Every body is read so: by codes, without texts. */
function repeatedKey(text: string): (string | number)[] | null {
  /** The objects and arrays that are open, with the last key or index in each. */
  const open: { keys: Set<string> | null; at: string | number }[] = [];
  for (let position = 0; position < text.length; position += 1) {
    const code = text.charCodeAt(position);
    if (code === OPEN_OBJECT) open.push({ keys: new Set(), at: '' });
    else if (code === OPEN_ARRAY) open.push({ keys: null, at: 0 });
    else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) open.pop();
    else if (code === COMMA) {
      const inner = open.at(-1)!;
      if (typeof inner.at === 'number') inner.at += 1;
    } else if (code === QUOTE) {
      const end = endOfString(text, position);
      const inner = open.at(-1);
      if (inner?.keys && isKey(text, end)) {
        const written = text.slice(position + 1, end);
        const key = written.includes('\\') ? (JSON.parse(`"${written}"`) as string) : written;
        inner.at = key;
        if (inner.keys.has(key)) return open.map(({ at }) => at);
        inner.keys.add(key);
      }
      position = end;
    }
  }
  return null;
}

/** Where the quote is that ends the string which begins there. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
}

/** Whether a colon follows the string that ends there; all blanks of JSON come before the space, or are it. */
function isKey(text: string, end: number): boolean {
  let next = end + 1;
  while (text.charCodeAt(next) <= SPACE) next += 1;
  return text.charCodeAt(next) === COLON;
}

function parseExact(text: string): unknown {
  try {
    return JSON.parse(text, exactNumber);
  } catch (cause) {
    // Values are revived recursively.
    if (cause instanceof RangeError) throw new SyntaxError('The JSON is nested too deeply', { cause });
    throw cause;
  }
}

function exactNumber(_key: string, value: unknown, { source }: { source?: string } = {}): unknown {
  return typeof value === 'number' ? parseNumber(source ?? String(value)) : value;
}

/** The longest text of a number that is looked at: the largest double has 309 digits, and nobody writes as many. */
const MAX_NUMBER_LENGTH = 400;

/** The number that a JSON text stands for; NaN if double precision has only a neighbour of it, or its text is longer than any. */
export function parseNumber(text: string): number {
  if (text.length > MAX_NUMBER_LENGTH) return Number.NaN;
  const number = Number(text);
  return decimal(text) === decimal(String(number)) ? number : Number.NaN;
}

/** One form for all texts of a number: its digits without zeros at the ends, and their power of ten. */
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

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

/** `JSON.parse`, but numbers that would change their value are NaN, which no rule of input accepts. */
export function parseJson(text: string): unknown {
  if (!SUSPECT.test(text)) return JSON.parse(text);
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

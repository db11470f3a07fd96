// Text: which texts may be stored, and the keys that compare and search them without case.
import { z } from 'zod';

/** Maximum characters of a name, not counting blanks around it. */
export const MAX_LINE = 255;
/** Maximum characters including blanks around it: blanks are stored too, and pages of names must stay small. */
const MAX_PADDED_LINE = 1_024;
/** Maximum characters of a search text, as for a name. */
const MAX_SEARCH = 255;

const count = (text: string) => [...text].length;
const atMost = (max: number) => `must have at most ${max} characters`;

/** C0 and C1 controls, lone surrogates and line separators: none can be displayed in a list, some cannot be stored. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029]/u;
/** Characters that PostgreSQL cannot store. */
const UNSTORABLE = /[\0\p{Cs}]/u;
/** Control characters, except tabs and line breaks, which multi-line text may contain. */
const CONTROL = /(?![\0\t\n\r])\p{Cc}/u;
/** A visible character: not a blank, format character or filler, nor the blank braille pattern. */
const VISIBLE = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\u2800]/u;

/** Whether the text can be displayed on one line of a list. */
export const isPrintable = (text: string) => !UNPRINTABLE.test(text);
/** Whether PostgreSQL can store the text. */
export const isStorable = (text: string) => !UNSTORABLE.test(text);

/** One line of at most 255 characters, not counting blanks around it. It is stored unchanged. */
export const line = (schema: z.ZodString = z.string()) =>
  schema
    .refine((text) => count(text.trim()) <= MAX_LINE, atMost(MAX_LINE))
    .refine(
      (text) => count(text.trim()) > MAX_LINE || count(text) <= MAX_PADDED_LINE,
      `${atMost(MAX_PADDED_LINE)}, with the blanks around it`,
    )
    .refine(isPrintable, 'must not contain control characters');

/** One line with at least one visible character. */
export const nameLine = (schema?: z.ZodString) =>
  line(schema)
    .refine((text) => text.trim() !== '', 'must not be empty')
    .refine((text) => text.trim() === '' || VISIBLE.test(text), 'must have a visible character');

/** Multi-line text: tabs and line breaks are allowed. */
const lines = (schema: z.ZodString) =>
  schema
    .refine(isStorable, 'must not contain NUL or lone surrogates')
    .refine((text) => !CONTROL.test(text), 'must not contain control characters but tabs and line breaks');

/** Multi-line text of at most `max` characters. It is stored unchanged. */
export const freeText = (max: number) => lines(z.string()).refine((text) => count(text) <= max, atMost(max));

/** Maximum words of a search text: each is a condition of its own. */
const MAX_WORDS = 10;

/** The text of a search: words in any order. */
export const searchText = lines(z.string().max(MAX_SEARCH, atMost(MAX_SEARCH))).refine(
  (text) => searchTerms(text).length <= MAX_WORDS,
  `must have at most ${MAX_WORDS} words`,
);

/**
 * The text folded for case and normalization: texts that differ only in upper, lower or title case, or in how their letters
 * are composed, have the same key. Text is lower-cased after upper-casing, because `ß` and `SS` differ in lower case only. Then
 * forms that depend on the position in a word (`σ`, `ς`) or on the language (`İ`, `i`) are unified. Text is decomposed meanwhile,
 * because some letters (`ΐ`) have no composed upper case.
 */
export const caseKey = (text: string): string =>
  text
    .normalize('NFD')
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .normalize('NFD')
    .replaceAll('ς', 'σ')
    .replaceAll(/i\p{M}+/gu, (dotted) => dotted.replaceAll('\u0307', ''))
    .normalize('NFC');

/** The key by which siblings are compared and sorted. Blanks around a name are ignored. */
export const nameKey = (name: string): string => caseKey(name.trim());

/** Replaces line breaks inside a part of a search key, where a line break separates parts. No text has a vertical tab. */
const LINE_BREAK = '\v';
const searched = (text: string): string => withoutAccents(caseKey(text)).replaceAll('\n', LINE_BREAK);

/** Marks on letters of alphabets in which a search does without them; in other scripts marks are vowels and tones. */
const ACCENTS = /(?<=[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]\p{Mn}*)\p{Mn}+/gu;
/** Letters with a stroke and ligatures, which have no decomposition. */
const PLAIN: Record<string, string> = { ø: 'o', ł: 'l', đ: 'd', ħ: 'h', æ: 'ae', œ: 'oe', ı: 'i' };

/** Case-folded text without accents. */
const withoutAccents = (text: string): string =>
  text
    .normalize('NFD')
    .replaceAll(ACCENTS, '')
    .replaceAll(/[øłđħæœı]/g, (letter) => PLAIN[letter]!)
    .normalize('NFC');

/** The distinct words of a search, folded. Each matches a part of a word in one part of a `searchKey`. */
export const searchTerms = (text: string): string[] => [
  ...new Set(
    searched(text.trim())
      .split(/[\s\v]+/u)
      .filter((word) => word !== ''),
  ),
];

/** The text that a substring search looks in: the folded parts, one per line. */
export const searchKey = (...parts: (string | null | undefined)[]): string =>
  parts
    .filter((part) => part != null && part !== '')
    .map((part) => searched(part!))
    .join('\n');

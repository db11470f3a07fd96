// Text: what may be stored, and by which keys two texts are the same and one is found in another.
import { z } from 'zod';

/** The longest name, in characters, without the blanks around it. */
export const MAX_LINE = 255;
/** With them: blanks are stored too, and pages of names must stay small. */
const MAX_PADDED_LINE = 1_024;
/** The longest search text; longer ones match nothing sensible. */
const MAX_SEARCH = 255;

const count = (text: string) => [...text].length;
const atMost = (max: number) => `must have at most ${max} characters`;

// C0 and C1 controls, lone surrogates and the line separators: none can be shown in a list, some cannot be stored.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029]/u;
/** What PostgreSQL cannot store. */
const UNSTORABLE = /[\0\p{Cs}]/u;
/** The other controls; tabs and line breaks are part of a text of several lines. */
const CONTROL = /(?![\0\t\n\r])\p{Cc}/u;
/** Anything that leaves a mark: not blanks, format characters or fillers, nor the braille pattern without dots. */
const VISIBLE = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\u2800]/u;

/** Whether a line can be shown in a list. */
export const isPrintable = (text: string) => !UNPRINTABLE.test(text);
/** Whether the text can be stored as it is. */
export const isStorable = (text: string) => !UNSTORABLE.test(text);

/** A line of at most 255 characters, the blanks around it not counted. It is stored as it came. */
export const line = (schema: z.ZodString = z.string()) =>
  schema
    .refine((text) => count(text.trim()) <= MAX_LINE, atMost(MAX_LINE))
    .refine(
      (text) => count(text.trim()) > MAX_LINE || count(text) <= MAX_PADDED_LINE,
      `${atMost(MAX_PADDED_LINE)}, with the blanks around it`,
    )
    .refine(isPrintable, 'must not contain control characters');

/** A line with at least one character that can be seen. */
export const nameLine = (schema?: z.ZodString) =>
  line(schema)
    .refine((text) => text.trim() !== '', 'must not be empty')
    .refine((text) => text.trim() === '' || VISIBLE.test(text), 'must have a visible character');

/** A text of several lines: tabs and line breaks are part of it. */
const lines = (schema: z.ZodString) =>
  schema
    .refine(isStorable, 'must not contain NUL or half characters')
    .refine((text) => !CONTROL.test(text), 'must not contain control characters but tabs and line breaks');

/** A text of several lines, of at most so many characters. It is stored as it came. */
export const freeText = (max: number) => lines(z.string()).refine((text) => count(text) <= max, atMost(max));

/** What a search looks for. */
export const searchText = lines(z.string().max(MAX_SEARCH, atMost(MAX_SEARCH)));

/**
 * The text without case and normalisation: texts that differ only by upper, lower or title case, or by how their letters are
 * composed, have the same key. Lower case of upper case, as `ß` and `SS` differ in lower case alone; then what depends on the
 * place in a word (`σ`, `ς`) or on a language (`İ`, `i`) is made alike. Decomposed throughout, since upper case has no composed
 * form of some letters (`ΐ`).
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

/** By which siblings are compared and sorted: blanks around a name tell nobody two groups apart. */
export const nameKey = (name: string): string => caseKey(name.trim());

/** A line break inside a text, as search keys hold it: texts have no vertical tabs, and a line break ends a part of the key. */
const LINE_BREAK = '\v';
const searched = (text: string): string => caseKey(text).replaceAll('\n', LINE_BREAK);

/** What a substring search looks for: found in a `searchKey` within one part. */
export const searchTerm = (text: string): string => searched(text.trim());

/** What a substring search looks in: the key of each part, one a line. */
export const searchKey = (...parts: (string | null | undefined)[]): string =>
  parts
    .filter((part) => part != null && part !== '')
    .map((part) => searched(part!))
    .join('\n');

// Search for words, in any order and without case and accents, on a column of folded text with a trigram index.
import { Prisma, type Sql } from '../../database/database.ts';
import { parseInput } from '../../model/input.ts';
import { searchTerms, searchText } from '../../model/text.ts';

/** The LIKE patterns that match each word of a search text; null for no word. Invalid text is refused with VALIDATION_FAILED. */
export function searchPatterns(search: string | null | undefined): string[] | null {
  if (search == null) return null;
  const words = searchTerms(parseInput(searchText.nullish(), search) ?? '');
  if (words.length === 0) return null;
  return words.map((word) => `%${escapePattern(word)}%`);
}

/** The text as a part of a LIKE pattern that matches it literally. */
export const escapePattern = (text: string): string =>
  text.replaceAll(/[\\%_]/g, (wildcard) => `\\${wildcard}`);

/** ` and column like …` for each pattern; empty for null. */
export function matching(column: Sql, patterns: readonly string[] | null | undefined): Sql {
  if (!patterns || patterns.length === 0) return Prisma.empty;
  return Prisma.join(
    patterns.map((pattern) => Prisma.sql` and ${column} like ${pattern}`),
    '',
  );
}

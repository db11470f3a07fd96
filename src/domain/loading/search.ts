// Case-insensitive substring search on a column of case-folded text with a trigram index.
import { Prisma, type Sql } from '../../database/database.ts';
import { parseInput } from '../../model/input.ts';
import { searchTerm, searchText } from '../../model/text.ts';

/** The LIKE pattern that matches a search text literally; null for no text. Invalid text is refused with VALIDATION_FAILED. */
export function searchPattern(search: string | null | undefined): string | null {
  if (search == null) return null;
  const text = searchTerm(parseInput(searchText.nullish(), search) ?? '');
  return text === '' ? null : `%${text.replaceAll(/[\\%_]/g, (wildcard) => `\\${wildcard}`)}%`;
}

/** ` and column like …` for a pattern; empty for null. */
export function matching(column: Sql, pattern: string | null | undefined): Sql {
  return pattern == null ? Prisma.empty : Prisma.sql` and ${column} like ${pattern}`;
}

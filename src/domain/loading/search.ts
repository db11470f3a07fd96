// Case-insensitive substring search over a derived column of case keys that has a trigram index.
import { Prisma, type Sql } from '../../database/database.ts';
import { parseInput } from '../../model/input.ts';
import { searchTerm, searchText } from '../../model/text.ts';

/** The LIKE pattern of a search text, which is taken literally; null for none. Refused with VALIDATION_FAILED. */
export function searchPattern(search: string | null | undefined): string | null {
  if (search == null) return null;
  const text = searchTerm(parseInput(searchText.nullish(), search) ?? '');
  return text === '' ? null : `%${text.replaceAll(/[\\%_]/g, (wildcard) => `\\${wildcard}`)}%`;
}

/** ` and column like …` for a pattern; nothing for none. */
export function matching(column: Sql, pattern: string | null | undefined): Sql {
  return pattern == null ? Prisma.empty : Prisma.sql` and ${column} like ${pattern}`;
}

// Case-insensitive substring search over a derived, lower-cased column that has a trigram index.
import { Prisma, type Sql } from '../database/database.ts';
import { nameKey, searchText } from '../model/groups.ts';
import { readInput } from '../model/input.ts';

/** The LIKE pattern of a search text, which is taken literally; null for none. Refused with VALIDATION_FAILED. */
export function searchPattern(search: string | null | undefined): string | null {
  if (search == null) return null;
  const text = nameKey(readInput(searchText.nullish(), search)?.trim() ?? '');
  return text === '' ? null : `%${text.replaceAll(/[\\%_]/g, (wildcard) => `\\${wildcard}`)}%`;
}

/** ` and column like …` for a pattern; nothing for none. */
export function matching(column: Sql, pattern: string | null | undefined): Sql {
  return pattern == null ? Prisma.empty : Prisma.sql` and ${column} like ${pattern}`;
}

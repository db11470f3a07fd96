// Functions that find rows by their ids.
import type { Sql } from '../../database/database.ts';
import { type IdKind, isIdOf } from '../../model/ids.ts';
import { type Audience, type Directory, Reader } from '../directory.ts';
import { loader } from './batching.ts';

type Finder<Row> = (directory: Directory, id: string) => Promise<Row | null>;
type RowSource = {
  audience: Audience;
  /** The statement that selects the rows with these ids which the reader sees. */
  rows(reader: Reader, ids: readonly string[]): Sql;
  idOf?: () => null;
  /** For rows whose changes no log of a tenant tells: a standby that has reached a position may lack them. */
  isPrimary?: true;
};

/** Creates a function that finds a row by its id, which is of this kind; null for what the caller does not see. */
export function finder<Row extends { id: string }>(
  kind: IdKind,
  { rows, isPrimary, ...options }: RowSource,
): Finder<Row> {
  const load = loader({
    ...options,
    read: async (reader, ids: readonly string[]) => {
      const { sql } = isPrimary ? new Reader(reader.db, reader.visibility) : reader;
      const found = new Map((await sql<Row>(rows(reader, ids))).map((row) => [row.id, row]));
      return ids.map((id) => found.get(id) ?? null);
    },
  });
  return async (directory, id) => (isIdOf(kind, id) ? load(directory, id) : null);
}

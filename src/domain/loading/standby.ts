// Reads on a standby, if there is one: only states of the primary, none older than the one that it has when the read begins.
import { Prisma, type Query, type Sql } from '../../database/database.ts';
import { NO_TENANT, type Reader } from '../directory.ts';
import { parseHead, readTail, type Tail } from '../sharing/tail.ts';

/** A reader of the same tenant that asks the standby first. */
export function onStandby(reader: Reader): Reader {
  const { standby } = reader.db;
  if (!standby || reader.tenantId === NO_TENANT) return reader;
  const sql: Query = async (statement) => {
    const tail = await readTail(reader);
    // A standby that is away, or cancels a statement because of what it replays, is no reason to fail.
    const read = tail && (await readFrom(standby, reader, tail.head.position, statement).catch(() => null));
    // It may be ahead by now, or have another history: no position counts that the primary's log does not have.
    const isOurs = read && (await readTail(reader, read.head))?.holds(read.head);
    return (isOurs ? read.rows : await reader.sql(statement)) as never;
  };
  return Object.assign(Object.create(reader) as Reader, { sql });
}

/**
 * The rows of a statement, and the position that they are of; null if the standby has not reached the position. A server that
 * was promoted answers nothing: what is written on it need not be in the primary's log, or in any. It is asked in a select of its
 * own, once: as a plain condition it would be asked for each row, after the statement was executed.
 */
async function readFrom(
  standby: Query,
  { tenantId }: Reader,
  position: number,
  statement: Sql,
): Promise<{ head: Tail['head']; rows: object[] } | null> {
  const rows = await standby<{ standbyHead: string; isRow: true | null }>(Prisma.sql`
    select l.position || ' ' || l.change_id as "standbyHead", r.*
    from tenant_logs l left join (select true as "isRow", r.* from (${statement}) r) r on true
    where l.tenant_id = ${tenantId} and l.position >= ${position}::bigint and (select pg_is_in_recovery())`);
  const [first] = rows;
  if (!first) return null;
  const ownRows = rows.filter(({ isRow }) => isRow).map(({ standbyHead, isRow, ...row }) => row);
  return { head: parseHead(first.standbyHead), rows: ownRows };
}

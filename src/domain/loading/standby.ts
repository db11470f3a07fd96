// Reads on a standby, if there is one: only what is at or after the position that the primary has when the read begins.
import { Prisma, type Query, type Sql } from '../../database/database.ts';
import { NO_TENANT, type Reader } from '../directory.ts';
import { readTail, type Tail } from '../sharing/tail.ts';

/** A reader of the same tenant that asks the standby first. */
export function onStandby(reader: Reader): Reader {
  const { standby } = reader.db;
  if (!standby || reader.tenantId === NO_TENANT) return reader;
  const sql: Query = async (statement) => {
    const tail = await readTail(reader);
    // A standby that is away, or cancels a statement because of what it replays, is no reason to fail.
    const rows = tail && (await readAt(standby, reader, tail.head, statement).catch(() => null));
    return (rows ?? (await reader.sql(statement))) as never;
  };
  return Object.assign(Object.create(reader) as Reader, { sql });
}

/** The rows of a statement; null if the standby has not reached the head, or has another history. */
async function readAt(
  standby: Query,
  { tenantId }: Reader,
  { position, changeId }: Tail['head'],
  statement: Sql,
): Promise<object[] | null> {
  const rows = await standby<{ isRow: true | null }>(Prisma.sql`
    select r.* from tenant_logs l left join (select true as "isRow", r.* from (${statement}) r) r on true
    where l.tenant_id = ${tenantId} and (
      (l.position = ${position}::bigint and l.change_id = ${changeId}::uuid)
      or (l.position > ${position}::bigint and exists (
        select from changes c where c.tenant_id = ${tenantId} and c.position = ${position}::bigint and c.ordinal = 0
          and c.change_id = ${changeId}::uuid)))`);
  if (rows.length === 0) return null;
  return rows.filter(({ isRow }) => isRow).map(({ isRow, ...row }) => row);
}

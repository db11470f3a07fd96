// Logs of tenants as no command writes them: many changes at once, and histories that were lost.
import { type Database, Prisma } from '../../src/database/database.ts';
import type { TenantId } from '../../src/model/ids.ts';

type Appended = {
  /** Changes at the one position that they take. */
  changes?: number;
  type?: string;
  groupId?: string | null;
  userIds?: readonly string[];
};

/** Appends changes at the next position, without doing what they say. */
export async function appendChanges(
  db: Database,
  tenantId: TenantId,
  { changes = 1, type = 'group.updated', groupId = 'grp_elsewhere', userIds = [] }: Appended = {},
): Promise<void> {
  await db.transaction(async (sql) => {
    await sql(Prisma.sql`
      update tenant_logs set position = position + 1, change_id = gen_random_uuid() where tenant_id = ${tenantId}`);
    await sql(Prisma.sql`
      insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, group_id, user_ids, data)
      select tenant_id, position, n, change_id, at, ${type}, 'test', 'service', ${groupId}, ${[...userIds]}::text[], '{}'
      from tenant_logs, generate_series(0, ${changes - 1}::int) n where tenant_id = ${tenantId}`);
  });
}

/** Takes so many positions away from the end of the log, as a failover does that loses them; undo what they did yourself. */
export async function loseChanges(db: Database, tenantId: TenantId, positions: number): Promise<void> {
  await db.transaction(async (sql) => {
    await sql(Prisma.sql`
      delete from changes c using tenant_logs l
      where l.tenant_id = ${tenantId} and c.tenant_id = l.tenant_id and c.position > l.position - ${positions}::int`);
    await sql(Prisma.sql`
      update tenant_logs l set position = l.position - ${positions}::int, change_id = (
        select change_id from changes c where c.tenant_id = l.tenant_id and c.position = l.position - ${positions}::int limit 1)
      where tenant_id = ${tenantId}`);
  });
}

/**
 * Everything that a tenant's log, memberships and nestings hold, to go back to: what is done in between never was. Groups and
 * users stay.
 */
export async function keepHistory(db: Database, tenantId: TenantId): Promise<() => Promise<void>> {
  const tables = [
    'tenant_logs',
    'changes',
    'memberships',
    'nestings',
    'membership_history',
    'nesting_history',
  ];
  const kept = new Map<string, string>();
  for (const table of tables) {
    const [row] = await db.sql<{ rows: string }>(Prisma.sql`
      select coalesce(json_agg(t), '[]')::text as rows from ${Prisma.raw(table)} t where tenant_id = ${tenantId}`);
    kept.set(table, row!.rows);
  }
  return () =>
    db.transaction(async (sql) => {
      for (const [table, rows] of kept) {
        const name = Prisma.raw(table);
        await sql(Prisma.sql`delete from ${name} where tenant_id = ${tenantId}`);
        await sql(
          Prisma.sql`insert into ${name} select * from json_populate_recordset(null::${name}, ${rows}::json)`,
        );
      }
      await sql(Prisma.sql`
        update groups g set member_count = (
          select count(*) from memberships m where m.tenant_id = g.tenant_id and m.group_id = g.id)
        where tenant_id = ${tenantId}`);
    });
}

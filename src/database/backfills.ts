// Changes of many rows that migrations leave to the next start: in chunks, each a transaction of its own with locks on few rows.
import { RESTORE_DAYS } from '../model/groups.ts';
import { type Database, Prisma, type Query, type Sql } from './database.ts';
import { awaitingLocks } from './transaction.ts';

/** Pages of a table, or rows by their ids, in one transaction: well inside the timeout of a statement. */
const PAGES = 200;
const ROWS = 5_000;

type Chunk = (sql: Query) => Promise<void>;

/** Each backfill by its name in the table `backfills`, as chunks that may run more than once. */
const BACKFILLS: Record<string, (db: Database) => AsyncIterable<Chunk>> = {
  member_counts: countMembers,
  undo_of_orphan: async function* (db) {
    for await (const pages of pagesOf(db, 'group_events')) yield (sql) => markOrphans(sql, pages);
    for await (const pages of pagesOf(db, 'membership_history')) yield (sql) => markRemovedUsers(sql, pages);
  },
};

/**
 * Runs what is pending. Every chunk locks the row of its backfill and ends if it is gone, so two servers that start at once
 * take turns, and none changes rows after the other one has begun to serve. A start that ends early leaves the row.
 */
export async function runBackfills(db: Database): Promise<void> {
  const pending = await db.sql<{ name: string }>(Prisma.sql`select name from backfills order by name`);
  for (const { name } of pending) {
    const backfill = BACKFILLS[name];
    // A newer version runs its own.
    if (!backfill) continue;
    const isPending = (sql: Query) =>
      sql(Prisma.sql`select name from backfills where name = ${name} for update`).then(
        (rows) => rows.length > 0,
      );
    for await (const chunk of backfill(db)) {
      const isDone = await awaitingLocks(() =>
        db.transaction(async (sql) => {
          if (!(await isPending(sql))) return true;
          await chunk(sql);
          return false;
        }),
      );
      if (isDone) break;
    }
    await awaitingLocks(() => db.change(Prisma.sql`delete from backfills where name = ${name}`));
  }
}

/** The pages of a table as they are now, as predicates on `ctid`. Rows that come later need no backfill. */
async function* pagesOf({ sql }: Database, table: string): AsyncGenerator<Sql> {
  const [size] = await sql<{ pages: number }>(Prisma.sql`
    select (pg_relation_size(${table}::regclass) / current_setting('block_size')::int)::int as pages`);
  for (let page = 0; page < size!.pages; page += PAGES)
    yield Prisma.sql`ctid >= ${`(${page},0)`}::tid and ctid < ${`(${page + PAGES},0)`}::tid`;
}

async function* countMembers({ sql }: Database): AsyncGenerator<Chunk> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const rows: { id: string }[] = await sql(Prisma.sql`
      select id from groups where id > ${after} order by id limit ${ROWS}`);
    const ids = rows.map(({ id }) => id);
    yield async (inside) => {
      await inside(Prisma.sql`
        update groups g set member_count = c.members
        from (select i.id, (select count(*)::int from memberships m where m.group_id = i.id) as members
          from unnest(${ids}::text[]) i(id)) c
        where g.id = c.id and g.member_count <> c.members`);
    };
    after = ids.length < ROWS ? undefined : ids.at(-1);
  }
}

/** What ORPHAN did before it was stored, by its events: those of a deletion have the time at which the group was deleted. */
async function markOrphans(sql: Query, pages: Sql): Promise<void> {
  // Two steps, so that the planner knows the rows of the second by their ids, and reads no table whole.
  const source = Prisma.sql`coalesce(data->>'through', data->'before'->>'parentGroupId')`;
  const events = await sql<{ id: string; source: string }>(Prisma.sql`
    select id, ${source} as source from group_events
    where ${pages} and event_type in ('group_nesting.added', 'group.updated') and ${source} is not null
      and occurred_at > now() - make_interval(days => ${RESTORE_DAYS}::int)`);
  if (events.length === 0) return;
  const orphaned = await sql<{ deleted: string; groupId: string; nested: string[] | null }>(Prisma.sql`
    select g.id as deleted, e.group_id as "groupId", case when e.event_type = 'group_nesting.added'
      then array(select jsonb_array_elements_text(e.data->'childGroupIds')) end as nested
    from unnest(${events.map(({ id }) => id)}::uuid[], ${events.map((event) => event.source)}::text[]) w(id, deleted)
      join group_events e on e.id = w.id
      join groups g on g.id = w.deleted and g.tenant_id = e.tenant_id and g.deleted_at = e.occurred_at`);
  if (orphaned.length === 0) return;
  const nestings = orphaned.flatMap(({ nested, ...rest }) =>
    (nested ?? []).map((child) => ({ ...rest, child })),
  );
  await sql(Prisma.sql`
    update nestings n set stands_for = array[g.deletion_id]
    from unnest(${nestings.map(({ deleted }) => deleted)}::text[], ${nestings.map(({ groupId }) => groupId)}::text[],
      ${nestings.map(({ child }) => child)}::text[]) w(deleted, parent, child)
      join groups g on g.id = w.deleted and g.deletion_id is not null
    where n.parent_group_id = w.parent and n.child_group_id = w.child and n.tenant_id = g.tenant_id
      and n.created_at = g.deleted_at and n.stands_for is null`);
  const moved = orphaned.filter(({ nested }) => nested === null);
  const deletions = Prisma.sql`unnest(${moved.map(({ deleted }) => deleted)}::text[],
      ${moved.map(({ groupId }) => groupId)}::text[]) w(deleted, child)
    join groups g on g.id = w.deleted and g.deletion_id is not null`;
  // Of several deletions the latest: the child is where that one put it.
  await sql(Prisma.sql`
    update groups c set moved_by = array[d.deletion_id]
    from (select distinct on (c.id) c.id, g.deletion_id, g.deleted_at from ${deletions}
      join groups c on c.id = w.child and c.tenant_id = g.tenant_id and c.parent_group_id is not distinct from g.parent_group_id
      order by c.id, g.deleted_at desc) d
    where c.id = d.id and not exists (
      select from groups o where o.deletion_id = any(c.moved_by) and o.deleted_at >= d.deleted_at)`);
  await sql(Prisma.sql`
    update groups g set moved_children = array(
      select distinct child from unnest(g.moved_children || d.children) m(child) order by child)
    from (select g.id, array_agg(w.child) as children from ${deletions} group by g.id) d where g.id = d.id`);
}

/** A user that is gone, or came after the membership had ended, is not the one that it was of. */
async function markRemovedUsers(sql: Query, pages: Sql): Promise<void> {
  await sql(Prisma.sql`
    update membership_history h set user_removed = true
    where ${pages} and h.deletion_id is not null and not h.user_removed
      and h.ended_at > now() - make_interval(days => ${RESTORE_DAYS}::int)
      and not exists (select from users u where u.id = h.user_id and u.tenant_id = h.tenant_id and u.created_at <= h.ended_at)`);
}

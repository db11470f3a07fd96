// Backfills: data changes of a migration that run at the next start, in chunks. Each chunk is one transaction on few rows.
import { RESTORE_DAYS } from '../model/groups.ts';
import { type Database, Prisma, type Query, type Sql } from './database.ts';
import { awaitingLocks } from './transaction.ts';

/** Table pages, or rows by id, per chunk: few enough to stay well inside the statement timeout. */
const PAGES = 200;
const ROWS = 5_000;

/** One chunk of a backfill, run in a transaction. It is idempotent. */
type Chunk = (sql: Query) => Promise<void>;

/** The backfills, by their names in the table `backfills`. */
const BACKFILLS: Record<string, (db: Database) => AsyncIterable<Chunk>> = {
  member_counts: countMembers,
  undo_of_orphan: async function* (db) {
    for await (const pages of pagesOf(db, 'group_events')) yield (sql) => markOrphans(sql, pages);
    for await (const pages of pagesOf(db, 'membership_history')) yield (sql) => markRemovedUsers(sql, pages);
  },
};

/**
 * Runs the pending backfills. The row of a backfill is deleted after its last chunk, so an interrupted backfill runs again
 * from its beginning at the next start. Each chunk locks that row, and stops if another server has deleted it: servers that
 * start at once take turns, and none changes rows once another has finished and serves requests.
 */
export async function runBackfills(db: Database): Promise<void> {
  const pending = await db.sql<{ name: string }>(Prisma.sql`select name from backfills order by name`);
  for (const { name } of pending) {
    const backfill = BACKFILLS[name];
    // Unknown names are backfills of a newer version, which runs them itself.
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

/** Yields a predicate on `ctid` for each chunk of the table's current pages. Rows that are added later need no backfill. */
async function* pagesOf({ sql }: Database, table: string): AsyncGenerator<Sql> {
  const [size] = await sql<{ pages: number }>(Prisma.sql`
    select (pg_relation_size(${table}::regclass) / current_setting('block_size')::int)::int as pages`);
  for (let page = 0; page < size!.pages; page += PAGES)
    yield Prisma.sql`ctid >= ${`(${page},0)`}::tid and ctid < ${`(${page + PAGES},0)`}::tid`;
}

/** Sets `groups.member_count` to the number of direct members. */
async function* countMembers({ sql }: Database): AsyncGenerator<Chunk> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const rows: { id: string }[] = await sql(Prisma.sql`
      select id from groups where id > ${after} order by id limit ${ROWS}`);
    const ids = rows.map(({ id }) => id);
    yield async (query) => {
      await query(Prisma.sql`
        update groups g set member_count = c.members
        from (select i.id, (select count(*)::int from memberships m where m.group_id = i.id) as members
          from unnest(${ids}::text[]) i(id)) c
        where g.id = c.id and g.member_count <> c.members`);
    };
    after = ids.length < ROWS ? undefined : ids.at(-1);
  }
}

/**
 * Restoring a group undoes what its deletion by ORPHAN did: `nestings.stands_for` marks the nestings it added, `groups.moved_by`
 * the child groups it moved, `groups.moved_children` lists the latter. For deletions before these columns existed, this derives
 * them from the events of the last RESTORE_DAYS days: an event belongs to the deletion of a group if it occurred exactly when
 * the group was deleted.
 */
async function markOrphans(sql: Query, pages: Sql): Promise<void> {
  // Two statements: the second looks rows up by id, where a single one might scan whole tables.
  const source = Prisma.sql`coalesce(data->>'through', data->'before'->>'parentGroupId')`;
  const events = await sql<{ id: string; source: string }>(Prisma.sql`
    select id, ${source} as source from group_events
    where ${pages} and event_type in ('group_nesting.added', 'group.updated') and ${source} is not null
      and occurred_at > now() - make_interval(days => ${RESTORE_DAYS}::int)`);
  if (events.length === 0) return;
  const orphaned = await sql<{ deleted: string; groupId: string; nested: string[] | null }>(Prisma.sql`
    select g.id as deleted, e.group_id as "groupId", case when e.event_type = 'group_nesting.added'
      then array(select jsonb_array_elements_text(e.data->'childGroupIds')) end as nested
    from unnest(${events.map(({ id }) => id)}::uuid[], ${events.map((event) => event.source)}::text[]) source(id, deleted)
      join group_events e on e.id = source.id
      join groups g on g.id = source.deleted and g.tenant_id = e.tenant_id and g.deleted_at = e.occurred_at`);
  if (orphaned.length === 0) return;
  const nestings = orphaned.flatMap(({ nested, ...rest }) =>
    (nested ?? []).map((child) => ({ ...rest, child })),
  );
  await sql(Prisma.sql`
    update nestings n set stands_for = array[g.deletion_id]
    from unnest(${nestings.map(({ deleted }) => deleted)}::text[], ${nestings.map(({ groupId }) => groupId)}::text[],
      ${nestings.map(({ child }) => child)}::text[]) added(deleted, parent, child)
      join groups g on g.id = added.deleted and g.deletion_id is not null
    where n.parent_group_id = added.parent and n.child_group_id = added.child and n.tenant_id = g.tenant_id
      and n.created_at = g.deleted_at and n.stands_for is null`);
  const moved = orphaned.filter(({ nested }) => nested === null);
  const deletions = Prisma.sql`unnest(${moved.map(({ deleted }) => deleted)}::text[],
      ${moved.map(({ groupId }) => groupId)}::text[]) move(deleted, child)
    join groups g on g.id = move.deleted and g.deletion_id is not null`;
  // If several deletions moved a child, the latest one counts: it determined the child's current parent.
  await sql(Prisma.sql`
    update groups c set moved_by = array[d.deletion_id]
    from (select distinct on (c.id) c.id, g.deletion_id, g.deleted_at from ${deletions}
      join groups c on c.id = move.child and c.tenant_id = g.tenant_id
        and c.parent_group_id is not distinct from g.parent_group_id
      order by c.id, g.deleted_at desc) d
    where c.id = d.id and not exists (
      select from groups o where o.deletion_id = any(c.moved_by) and o.deleted_at >= d.deleted_at)`);
  await sql(Prisma.sql`
    update groups g set moved_children = array(
      select distinct child from unnest(g.moved_children || d.children) m(child) order by child)
    from (select g.id, array_agg(move.child) as children from ${deletions} group by g.id) d where g.id = d.id`);
}

/**
 * Sets `user_removed` on memberships that a deletion ended, if their user no longer exists or was created after the end, so that
 * restoring the group does not add a different user with the same id.
 */
async function markRemovedUsers(sql: Query, pages: Sql): Promise<void> {
  await sql(Prisma.sql`
    update membership_history h set user_removed = true
    where ${pages} and h.deletion_id is not null and not h.user_removed
      and h.ended_at > now() - make_interval(days => ${RESTORE_DAYS}::int)
      and not exists (select from users u where u.id = h.user_id and u.tenant_id = h.tenant_id and u.created_at <= h.ended_at)`);
}

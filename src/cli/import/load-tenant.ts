// Writes one tenant's rows in one transaction: new ones inserted, changed ones updated, all else left alone.
import { Prisma, type Query } from '../../database/database.ts';
import { countMemberships, noticeNestings, noticeUsers } from '../../domain/derived.ts';
import type { Directory } from '../../domain/directory.ts';
import { type GroupEventInput, recordEvents } from '../../domain/events.ts';
import { claimNestings } from '../../domain/nesting.ts';
import { nameKey, searchKey } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { Rows } from './rows.ts';
import type { TenantRows } from './spool.ts';

/** Rows of edges in one statement: bounded, so that its parameters stay small. */
const CHUNK = 10_000;
/** Who is written into history and events. */
const ACTOR = 'import';

export type Tally = { created: number; updated: number; unchanged: number };
export type Tallies = { [Table in keyof TenantRows]: Tally };

/** Must run after `verifyTenant` in the same transaction, under the tenant's lock. */
export async function loadTenant(
  directory: Directory,
  sql: Query,
  tenantId: TenantId,
  rows: TenantRows,
): Promise<Tallies> {
  const events: GroupEventInput[] = [];
  const tallies = {
    users: await loadUsers(sql, tenantId, rows.users),
    groups: await loadGroups(sql, tenantId, rows.groups, events),
    memberships: await loadMemberships(sql, tenantId, rows.memberships, events),
    nestings: await loadNestings(sql, tenantId, rows.nestings, events),
  };
  for (const chunk of chunks(events)) await recordEvents(directory, sql, chunk);
  return tallies;
}

async function loadUsers(sql: Query, tenantId: TenantId, users: Rows['users'][]): Promise<Tally> {
  const tally = { created: 0, updated: 0, unchanged: 0 };
  for (const chunk of chunks(users)) {
    const values = Prisma.sql`unnest(${chunk.map((user) => user.id)}::text[], ${chunk.map((user) => user.email)}::text[],
      ${chunk.map((user) => user.displayName ?? null)}::text[],
      ${chunk.map((user) => searchKey(user.email, user.displayName))}::text[]) w(id, email, display_name, search_key)`;
    const created = await sql(Prisma.sql`
      insert into users (id, tenant_id, email, display_name, search_key)
      select w.id, ${tenantId}, w.email, w.display_name, w.search_key from ${values}
      on conflict (id) do nothing returning id`);
    const updated = await sql(Prisma.sql`
      with updated as (
        update users u set email = w.email, display_name = w.display_name, search_key = w.search_key, updated_at = now()
        from ${values} where u.id = w.id and u.tenant_id = ${tenantId}
          and (u.email, u.display_name) is distinct from (w.email, w.display_name) returning u.id),
      ${noticeUsers(tenantId)}
      select id from updated`);
    count(tally, chunk.length, created.length, updated.length);
  }
  return tally;
}

async function loadGroups(
  sql: Query,
  tenantId: TenantId,
  groups: Rows['groups'][],
  events: GroupEventInput[],
): Promise<Tally> {
  const column = <Value>(of: (group: Rows['groups']) => Value) => groups.map(of);
  // One statement, whatever the order of parents and children: foreign keys are checked at its end.
  const values = Prisma.sql`unnest(${column((group) => group.id)}::text[], ${column((group) => group.parentGroupId ?? null)}::text[],
    ${column((group) => group.name)}::text[], ${column((group) => nameKey(group.name))}::text[],
    ${column((group) => searchKey(group.name, group.description))}::text[],
    ${column((group) => group.description ?? null)}::text[], ${column((group) => group.groupType ?? 'SECURITY')}::text[],
    ${column((group) => (group.customAttributes ? JSON.stringify(group.customAttributes) : null))}::text[])
    w(id, parent_group_id, name, name_key, search_key, description, type, custom_attributes)`;
  const created = await sql<{ id: GroupId }>(Prisma.sql`
    insert into groups (id, tenant_id, parent_group_id, name, name_key, search_key, description, type, custom_attributes)
    select w.id, ${tenantId}, w.parent_group_id, w.name, w.name_key, w.search_key, w.description,
      w.type::"GroupType", w.custom_attributes::jsonb from ${values}
    on conflict (id) do nothing returning id`);
  const updated = await sql<{ id: GroupId }>(Prisma.sql`
    update groups g set name = w.name, name_key = w.name_key, search_key = w.search_key, description = w.description,
      parent_group_id = w.parent_group_id,
      moved_by = case when g.parent_group_id is not distinct from w.parent_group_id then g.moved_by end, custom_attributes = coalesce(w.custom_attributes::jsonb, g.custom_attributes),
      version = g.version + 1, updated_at = now()
    from ${values} where g.id = w.id and g.tenant_id = ${tenantId} and g.deleted_at is null
      and ((g.name, g.description, g.parent_group_id) is distinct from (w.name, w.description, w.parent_group_id)
        or w.custom_attributes::jsonb <> g.custom_attributes
        or (w.custom_attributes is not null and g.custom_attributes is null))
    returning g.id`);
  const byId = new Map(groups.map((group) => [group.id, group]));
  const event = (type: GroupEventInput['type']) => (row: { id: GroupId }) => {
    const { name, description = null, parentGroupId = null } = byId.get(row.id)!;
    events.push({ type, tenantId, groupId: row.id, data: { name, description, parentGroupId } });
  };
  created.forEach(event('group.created'));
  updated.forEach(event('group.updated'));
  return count({ created: 0, updated: 0, unchanged: 0 }, groups.length, created.length, updated.length);
}

async function loadMemberships(
  sql: Query,
  tenantId: TenantId,
  memberships: Rows['memberships'][],
  events: GroupEventInput[],
): Promise<Tally> {
  const tally = { created: 0, updated: 0, unchanged: 0 };
  const added: { groupId: GroupId; id: string }[] = [];
  for (const chunk of chunks(memberships)) {
    const rows = await sql<(typeof added)[number]>(Prisma.sql`
      with added as (
        insert into memberships (tenant_id, group_id, user_id, added_by)
        select ${tenantId}, w.group_id, w.user_id, ${ACTOR}
        from unnest(${chunk.map((row) => row.groupId)}::text[], ${chunk.map((row) => row.userId)}::text[]) w(group_id, user_id)
        on conflict (group_id, user_id) do nothing returning group_id, user_id),
      ${countMemberships('added', tenantId)}
      select group_id as "groupId", user_id as id from added`);
    added.push(...rows);
    count(tally, chunk.length, rows.length, 0);
  }
  for (const [groupId, rows] of Map.groupBy(added, (row) => row.groupId)) {
    events.push({
      type: 'group_membership.added',
      tenantId,
      groupId,
      data: { userIds: rows.map((row) => row.id) },
    });
  }
  return tally;
}

async function loadNestings(
  sql: Query,
  tenantId: TenantId,
  nestings: Rows['nestings'][],
  events: GroupEventInput[],
): Promise<Tally> {
  const tally = { created: 0, updated: 0, unchanged: 0 };
  for (const chunk of chunks(nestings)) {
    const rows = await sql<{ groupId: GroupId; id: string }>(Prisma.sql`
      with added as (
        insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
        select ${tenantId}, w.parent, w.child, ${ACTOR}
        from unnest(${chunk.map((row) => row.parentGroupId)}::text[], ${chunk.map((row) => row.childGroupId)}::text[]) w(parent, child)
        on conflict (parent_group_id, child_group_id) do nothing returning parent_group_id, child_group_id),
      ${noticeNestings('added', tenantId)}
      select parent_group_id as "groupId", child_group_id as id from added`);
    await claimNestings(
      sql,
      tenantId,
      chunk.map((row) => ({ parent: row.parentGroupId, child: row.childGroupId })),
    );
    count(tally, chunk.length, rows.length, 0);
    for (const [groupId, added] of Map.groupBy(rows, (row) => row.groupId)) {
      events.push({
        type: 'group_nesting.added',
        tenantId,
        groupId,
        data: { childGroupIds: added.map((row) => row.id) },
      });
    }
  }
  return tally;
}

function count(tally: Tally, rows: number, created: number, updated: number): Tally {
  tally.created += created;
  tally.updated += updated;
  tally.unchanged += rows - created - updated;
  return tally;
}

function* chunks<Row>(rows: readonly Row[]): Generator<Row[]> {
  for (let at = 0; at < rows.length; at += CHUNK) yield rows.slice(at, at + CHUNK);
}

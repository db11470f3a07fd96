// Writes one tenant's rows: inserts new ones, updates changed ones, and leaves everything else unchanged.

import { Prisma } from '../database/database.ts';
import { dropSuffixes, vacateNames } from '../database/name-keys.ts';
import type { WriteContext } from '../domain/log/write-context.ts';
import { type Group, groupColumns } from '../domain/rows/groups.ts';
import { beginMemberships, nest } from '../domain/writes/edges.ts';
import { groupFields, updatedChange } from '../domain/writes/groups.ts';
import { claimIds } from '../domain/writes/ids.ts';
import { createUsers, updateUsers } from '../domain/writes/users.ts';
import { endGroupVersions } from '../domain/writes/versions.ts';
import { nameKey, searchKey } from '../model/text.ts';
import type { Rows } from './rows.ts';
import type { TenantRows } from './spool.ts';

/** Users or edges per statement: bounds the size of its parameters, while round trips stay few. */
const MAX_ROWS = 10_000;

export type Tally = { created: number; updated: number; unchanged: number };
export type Tallies = { [Table in keyof TenantRows]: Tally };

/** Must run after `verifyTenant`, in the same transaction and under the tenant's lock. */
export async function loadTenant(tx: WriteContext, rows: TenantRows): Promise<Tallies> {
  return {
    users: await loadUsers(tx, rows.users),
    groups: await loadGroups(tx, rows.groups),
    memberships: await loadMemberships(tx, rows.memberships),
    nestings: await loadNestings(tx, rows.nestings),
  };
}

async function loadUsers(tx: WriteContext, users: Rows['users'][]): Promise<Tally> {
  const tally = { created: 0, updated: 0, unchanged: 0 };
  for (const chunk of chunks(users)) {
    await claimIds(
      tx,
      chunk.map(({ id }) => id),
    );
    const created = await createUsers(tx, chunk);
    const updated = await updateUsers(tx, chunk);
    count(tally, chunk.length, created.length, updated.length);
  }
  return tally;
}

async function loadGroups(tx: WriteContext, groups: Rows['groups'][]): Promise<Tally> {
  const { query, tenantId, at, position, record } = tx;
  await claimIds(
    tx,
    groups.map(({ id }) => id),
  );
  const column = <Value>(of: (group: Rows['groups']) => Value) => groups.map(of);
  const isGiven = (field: 'parentGroupId' | 'description' | 'customAttributes') =>
    column((group) => group[field] !== undefined);
  // All groups in one statement, so that parents and children may come in any order: it checks foreign keys at its end.
  const values = Prisma.sql`unnest(${column((group) => group.id)}::text[], ${column((group) => group.name)}::text[],
    ${column((group) => nameKey(group.name))}::text[], ${column((group) => searchKey(group.name, group.description))}::text[],
    ${isGiven('parentGroupId')}::bool[], ${column((group) => group.parentGroupId ?? null)}::text[],
    ${isGiven('description')}::bool[], ${column((group) => group.description ?? null)}::text[],
    ${isGiven('customAttributes')}::bool[],
    ${column((group) => (group.customAttributes ? JSON.stringify(group.customAttributes) : null))}::text[],
    ${column((group) => group.groupType ?? 'SECURITY')}::text[])
    input(id, name, name_key, search_key, has_parent, parent_group_id,
      has_description, description, has_attributes, custom_attributes, type)`;
  // A field omitted in the file keeps its stored value.
  const parent = Prisma.sql`case when input.has_parent then input.parent_group_id else g.parent_group_id end`;
  const description = Prisma.sql`case when input.has_description then input.description else g.description end`;
  const attributes = Prisma.sql`case when input.has_attributes then input.custom_attributes::jsonb else g.custom_attributes end`;
  const isStored = Prisma.sql`g.id = input.id and g.tenant_id = ${tenantId} and g.deleted_at is null`;
  const differs = Prisma.sql`(g.name, g.description, g.parent_group_id, g.custom_attributes)
      is distinct from (input.name, ${description}, ${parent}, ${attributes})`;
  const before = await query<Group & { isRenamedOrMoved: boolean }>(Prisma.sql`
    select ${groupColumns}, (g.name, g.parent_group_id) is distinct from (input.name, ${parent}) as "isRenamedOrMoved"
    from groups g join ${values} on ${isStored} where ${differs}`);
  endGroupVersions(tx, Prisma.sql`id = any(${before.map(({ id }) => id)}::text[])`);
  const renamedOrMoved = before.filter((group) => group.isRenamedOrMoved);
  await query(
    vacateNames(
      tenantId,
      renamedOrMoved.map(({ id }) => id),
    ),
  );
  const created = await query<Group>(Prisma.sql`
    insert into groups as g (tenant_id, id, parent_group_id, name, name_key, search_key, description, type, custom_attributes,
      created_at, updated_at, version_since)
    select ${tenantId}, input.id, input.parent_group_id, input.name, input.name_key, input.search_key, input.description,
      input.type::"GroupType", input.custom_attributes::jsonb, ${at}::timestamptz, ${at}::timestamptz, ${position}::bigint
    from ${values}
    on conflict (tenant_id, id) do nothing returning ${groupColumns}`);
  const updated = await query<Group>(Prisma.sql`
    update groups g set name = input.name, name_key = input.name_key, description = ${description}, parent_group_id = ${parent},
      search_key = case when input.has_description then input.search_key
        else input.search_key || coalesce(substring(g.search_key from chr(10) || '.*'), '') end,
      moved_by = case when g.parent_group_id is not distinct from ${parent} then g.moved_by end,
      custom_attributes = ${attributes}, version = g.version + 1, updated_at = ${at}::timestamptz,
      version_since = ${position}::bigint
    from ${values} where ${isStored} and ${differs}
    returning ${groupColumns}`);
  await dropSuffixes(query, tenantId, renamedOrMoved);
  for (const group of created)
    record({ type: 'group.created', groupId: group.id, data: { after: groupFields(group) } });
  const beforeById = new Map(before.map((group) => [group.id, group]));
  for (const group of updated) record(updatedChange(beforeById.get(group.id)!, group));
  return count({ created: 0, updated: 0, unchanged: 0 }, groups.length, created.length, updated.length);
}

async function loadMemberships(tx: WriteContext, memberships: Rows['memberships'][]): Promise<Tally> {
  const tally = { created: 0, updated: 0, unchanged: 0 };
  // In the order of the primary key, whose pages are then filled one after the other.
  const sorted = memberships.toSorted((a, b) => compare(a.groupId, b.groupId) || compare(a.userId, b.userId));
  for (const chunk of chunks(sorted)) {
    const rows = await beginMemberships(
      tx,
      Prisma.sql`select input.*, ${tx.actor.id}::text as added_by
        from unnest(${chunk.map((row) => row.groupId)}::text[], ${chunk.map((row) => row.userId)}::text[])
        input(group_id, user_id)`,
    );
    for (const [groupId, added] of Map.groupBy(rows, (row) => row.groupId)) {
      tx.record({ type: 'group_membership.added', groupId, userIds: added.map((row) => row.userId) });
    }
    count(tally, chunk.length, rows.length, 0);
  }
  return tally;
}

async function loadNestings(tx: WriteContext, nestings: Rows['nestings'][]): Promise<Tally> {
  const tally = { created: 0, updated: 0, unchanged: 0 };
  for (const chunk of chunks(nestings)) {
    const rows = await nest(
      tx,
      chunk.map((row) => ({ parent: row.parentGroupId, child: row.childGroupId })),
    );
    count(tally, chunk.length, rows.length, 0);
    for (const [groupId, added] of Map.groupBy(rows, (row) => row.parentGroupId)) {
      tx.record({ type: 'group_nesting.added', groupId, groupIds: added.map((row) => row.childGroupId) });
    }
  }
  return tally;
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** Adds the counts of one statement to the tally, and returns it. */
function count(tally: Tally, rows: number, created: number, updated: number): Tally {
  tally.created += created;
  tally.updated += updated;
  tally.unchanged += rows - created - updated;
  return tally;
}

function* chunks<Row>(rows: readonly Row[]): Generator<Row[]> {
  for (let start = 0; start < rows.length; start += MAX_ROWS) yield rows.slice(start, start + MAX_ROWS);
}

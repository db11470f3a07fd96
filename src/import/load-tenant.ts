// Writes one tenant's rows: inserts new ones, updates changed ones, and leaves everything else unchanged.

import { Prisma } from '../database/database.ts';
import { dropSuffixes, type NamedPlace, vacateNames } from '../database/name-keys.ts';
import type { GroupEvent } from '../domain/log/events.ts';
import type { WriteContext } from '../domain/log/write-context.ts';
import { beginMemberships, type Membership, nest } from '../domain/writes/edges.ts';
import { insertUsers, updateUsers } from '../domain/writes/users.ts';
import type { GroupId } from '../model/ids.ts';
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

async function loadUsers({ query, tenantId }: WriteContext, users: Rows['users'][]): Promise<Tally> {
  const tally = { created: 0, updated: 0, unchanged: 0 };
  for (const chunk of chunks(users)) {
    const created = await query(insertUsers(tenantId, chunk));
    const updated = await query(updateUsers(tenantId, chunk));
    count(tally, chunk.length, created.length, updated.length);
  }
  return tally;
}

type StoredGroup = { id: GroupId; name: string; description: string | null; parentGroupId: string | null };
const storedColumns = Prisma.sql`g.id, g.name, g.description, g.parent_group_id as "parentGroupId"`;

async function loadGroups(
  { query, tenantId, record }: WriteContext,
  groups: Rows['groups'][],
): Promise<Tally> {
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
  const renamedOrMoved = await query<NamedPlace & { id: GroupId }>(Prisma.sql`
    select g.id, g.name, g.parent_group_id as "parentGroupId" from groups g join ${values} on ${isStored}
    where (g.name, g.parent_group_id) is distinct from (input.name, ${parent})`);
  await query(
    vacateNames(
      tenantId,
      renamedOrMoved.map(({ id }) => id),
    ),
  );
  const created = await query<StoredGroup>(Prisma.sql`
    insert into groups as g (id, tenant_id, parent_group_id, name, name_key, search_key, description, type, custom_attributes)
    select input.id, ${tenantId}, input.parent_group_id, input.name, input.name_key, input.search_key, input.description,
      input.type::"GroupType", input.custom_attributes::jsonb from ${values}
    on conflict (id) do nothing returning ${storedColumns}`);
  const updated = await query<StoredGroup>(Prisma.sql`
    update groups g set name = input.name, name_key = input.name_key, description = ${description}, parent_group_id = ${parent},
      search_key = case when input.has_description then input.search_key
        else input.search_key || coalesce(substring(g.search_key from chr(10) || '.*'), '') end,
      moved_by = case when g.parent_group_id is not distinct from ${parent} then g.moved_by end,
      custom_attributes = ${attributes}, version = g.version + 1, updated_at = now()
    from ${values} where ${isStored} and (g.name, g.description, g.parent_group_id, g.custom_attributes)
      is distinct from (input.name, ${description}, ${parent}, ${attributes})
    returning ${storedColumns}`);
  await dropSuffixes(query, tenantId, renamedOrMoved);
  const recordAll = (type: GroupEvent['type'], rows: StoredGroup[]) => {
    for (const { id: groupId, ...data } of rows) record({ type, groupId, data });
  };
  recordAll('group.created', created);
  recordAll('group.updated', updated);
  return count({ created: 0, updated: 0, unchanged: 0 }, groups.length, created.length, updated.length);
}

async function loadMemberships(tx: WriteContext, memberships: Rows['memberships'][]): Promise<Tally> {
  const tally = { created: 0, updated: 0, unchanged: 0 };
  const added: Membership[] = [];
  for (const chunk of chunks(memberships)) {
    const rows = await beginMemberships(
      tx,
      Prisma.sql`select * from unnest(${chunk.map((row) => row.groupId)}::text[], ${chunk.map((row) => row.userId)}::text[])
        input(group_id, user_id)`,
    );
    added.push(...rows);
    count(tally, chunk.length, rows.length, 0);
  }
  for (const [groupId, rows] of Map.groupBy(added, (row) => row.groupId)) {
    tx.record({ type: 'group_membership.added', groupId, data: { userIds: rows.map((row) => row.userId) } });
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
      const childGroupIds = added.map((row) => row.childGroupId);
      tx.record({ type: 'group_nesting.added', groupId, data: { childGroupIds } });
    }
  }
  return tally;
}

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

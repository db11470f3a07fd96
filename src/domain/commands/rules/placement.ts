// Rules for a group's place in the hierarchy: at most 32 levels, no cycle, and a name that no sibling has.

import { Prisma } from '../../../database/database.ts';
import { hasNameAt } from '../../../database/name-keys.ts';
import { refuse } from '../../../model/errors.ts';
import { MAX_DEPTH } from '../../../model/groups.ts';
import type { GroupId } from '../../../model/ids.ts';
import { nameKey } from '../../../model/text.ts';
import type { Directory } from '../../directory.ts';
import type { WriteContext } from '../../log/write-context.ts';
import { notInTenant } from './targets.ts';

type Ancestor = { id: GroupId; name: string };

type Placement = { groupId: GroupId | null; parentGroupId: GroupId };

/**
 * Checks that a group (null: a new one) may become a child of the parent.
 * Refused: NOT_FOUND, OTHER_TENANT, CYCLE with its path, LIMIT_EXCEEDED above 32 levels.
 */
export async function assertHierarchyFits(
  directory: Directory,
  tx: WriteContext,
  { groupId, parentGroupId }: Placement,
): Promise<void> {
  const ancestors = await loadAncestors(tx, parentGroupId, 'live');
  if (ancestors.length === 0) throw await notInTenant(directory, tx, parentGroupId);
  const index = ancestors.findIndex((ancestor) => ancestor.id === groupId);
  if (index >= 0) {
    const group = ancestors[index]!;
    throw refuse.cycle([group, ...ancestors.slice(0, index).reverse(), group]);
  }
  const levels = ancestors.length + (groupId === null ? 1 : await subtreeHeight(tx, groupId));
  if (levels > MAX_DEPTH) {
    throw refuse.limit(MAX_DEPTH, `The hierarchy would have ${levels} levels; the limit is ${MAX_DEPTH}`);
  }
}

/** The group itself and its ancestors, nearest first; empty if there is no such group in the tenant. */
export function loadAncestors(
  { query, tenantId }: WriteContext,
  id: GroupId,
  state: 'live' | 'live or deleted',
): Promise<Ancestor[]> {
  const inState = state === 'live' ? Prisma.sql` and deleted_at is null` : Prisma.empty;
  return query<Ancestor>(Prisma.sql`
    with recursive up(id, parent_group_id, name, level) as (
      select id, parent_group_id, name, 1 from groups where tenant_id = ${tenantId} and id = ${id}${inState}
      union all
      select g.id, g.parent_group_id, g.name, up.level + 1 from up join groups g on g.id = up.parent_group_id
      where g.tenant_id = ${tenantId} and up.level <= ${MAX_DEPTH})
    select id, name from up order by level`);
}

/** Levels of the hierarchy from the group down to its lowest descendant. */
async function subtreeHeight({ query, tenantId }: WriteContext, groupId: GroupId): Promise<number> {
  const [row] = await query<{ height: number }>(Prisma.sql`
    with recursive down(id, level) as (
      select ${groupId}::text collate "C", 1
      union all
      select g.id, down.level + 1 from down join groups g on g.parent_group_id = down.id
      where g.tenant_id = ${tenantId} and g.deleted_at is null and down.level <= ${MAX_DEPTH})
    select max(level)::int as height from down`);
  return row!.height;
}

type Place = { parentGroupId: GroupId | null; name: string };

/** Refused with NAME_TAKEN if a live sibling has the name. A unique index enforces the same. */
export async function assertNameFree(
  { query, tenantId }: WriteContext,
  { parentGroupId, name }: Place,
): Promise<void> {
  const place = { tenantId, parentGroupId, key: nameKey(name) };
  const [taken] = await query<{ name: string }>(Prisma.sql`
    select g.name from groups g where ${hasNameAt(Prisma.sql`g`, place)} order by g.name_key limit 1`);
  if (taken) throw refuse.nameTaken([taken.name]);
}

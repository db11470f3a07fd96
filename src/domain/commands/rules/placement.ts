// Rules for a group's place in the hierarchy: at most 32 levels, no cycle, and a name that no sibling has.

import { Prisma, type Sql } from '../../../database/database.ts';
import { hasNameAt } from '../../../database/name-keys.ts';
import { refuse } from '../../../model/errors.ts';
import { MAX_DEPTH } from '../../../model/groups.ts';
import type { GroupId } from '../../../model/ids.ts';
import { nameKey } from '../../../model/text.ts';
import type { Directory } from '../../directory.ts';
import type { WriteContext } from '../../log/write-context.ts';
import { loadAncestors } from '../../queries/hierarchy.ts';
import type { Group } from '../../rows/groups.ts';
import { notInTenant } from './targets.ts';

/**
 * Checks that a group (null: a new one) may become a child of the parent.
 * Refused: NOT_FOUND, OTHER_TENANT, CYCLE with its path, LIMIT_EXCEEDED above 32 levels.
 */
export async function assertHierarchyFits(
  directory: Directory,
  tx: WriteContext,
  { groupId, parentGroupId }: { groupId: GroupId | null; parentGroupId: GroupId },
): Promise<void> {
  const [ancestors] = await loadAncestors(tx.query, tx.tenantId, [parentGroupId], 'live');
  if (!ancestors?.length) throw await notInTenant(directory, tx, parentGroupId);
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

/**
 * `with recursive down`: the groups and those below each of them, as (root, id, level); the groups themselves have level 1.
 * `isBelow` says of which children: `g.…`.
 */
export const withSubtrees = (
  { tenantId }: WriteContext,
  ids: readonly string[],
  isBelow: Sql = Prisma.sql`g.deleted_at is null`,
): Sql => Prisma.sql`
  with recursive down(root, id, level) as (
    select r.id, r.id, 1 from unnest(${ids}::text[] collate "C") r(id)
    union all
    select down.root, g.id, down.level + 1 from down join groups g on g.tenant_id = ${tenantId} and g.parent_group_id = down.id
    where ${isBelow} and down.level <= ${MAX_DEPTH})`;

/** Levels of the hierarchy from the group down to its lowest descendant. */
async function subtreeHeight(tx: WriteContext, groupId: GroupId): Promise<number> {
  const [row] = await tx.query<{ height: number }>(Prisma.sql`
    ${withSubtrees(tx, [groupId])} select max(level)::int as height from down`);
  return row!.height;
}

/** Refused with NAME_TAKEN if a live sibling has the name. A unique index enforces the same. */
export async function assertNameFree(
  { query, tenantId }: WriteContext,
  { parentGroupId, name }: Pick<Group, 'parentGroupId' | 'name'>,
): Promise<void> {
  const place = { tenantId, parentGroupId, key: nameKey(name) };
  const [taken] = await query<{ name: string }>(Prisma.sql`
    select g.name from groups g where ${hasNameAt(Prisma.sql`g`, place)} order by g.name_key limit 1`);
  if (taken) throw refuse.nameTaken([taken.name]);
}

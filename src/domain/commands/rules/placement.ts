// Where a group may be filed: within 32 levels, never below itself, and under a name that no sibling has.

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

type Filing = { groupId: GroupId | null; parentGroupId: GroupId };

/**
 * Refuses to file a group (null: a new one) under a parent: NOT_FOUND, OTHER_TENANT, CYCLE with its path,
 * LIMIT_EXCEEDED if the tree would get deeper than 32 levels. Holds under the graph lock.
 */
export async function assertHierarchyFits(
  directory: Directory,
  tx: WriteContext,
  { groupId, parentGroupId }: Filing,
): Promise<void> {
  const { query, tenantId } = tx;
  const above = await query<Ancestor>(Prisma.sql`
    with recursive up(id, parent_group_id, name, level) as (
      select id, parent_group_id, name, 1 from groups
      where tenant_id = ${tenantId} and id = ${parentGroupId} and deleted_at is null
      union all
      select g.id, g.parent_group_id, g.name, up.level + 1 from up join groups g on g.id = up.parent_group_id
      where g.tenant_id = ${tenantId} and up.level <= ${MAX_DEPTH})
    select id, name from up order by level`);
  if (above.length === 0) throw await notInTenant(directory, tx, parentGroupId);
  const at = above.findIndex((ancestor) => ancestor.id === groupId);
  if (at >= 0) {
    const below = above.slice(0, at).reverse();
    throw refuse.cycle([above[at]!, ...below, above[at]!]);
  }
  const levels = above.length + (groupId === null ? 1 : await height(tx, groupId));
  if (levels > MAX_DEPTH) {
    throw refuse.limit(MAX_DEPTH, `The hierarchy would have ${levels} levels, and may have ${MAX_DEPTH}`);
  }
}

async function height({ query, tenantId }: WriteContext, groupId: GroupId): Promise<number> {
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

/** Refused with NAME_TAKEN if a live sibling has the name. Holds under the graph lock; a unique index backs it. */
export async function assertNameFree(
  { query, tenantId }: WriteContext,
  { parentGroupId, name }: Place,
): Promise<void> {
  const place = { tenantId, parentGroupId, key: nameKey(name) };
  const [taken] = await query<{ name: string }>(Prisma.sql`
    select g.name from groups g where ${hasNameAt(Prisma.sql`g`, place)} order by g.name_key limit 1`);
  if (taken) throw refuse.nameTaken([taken.name]);
}

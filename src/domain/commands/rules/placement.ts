// Where a group may be filed: within 32 levels, and never below itself.
import { Prisma, type Query } from '../../../database/database.ts';
import { refuse } from '../../../model/errors.ts';
import { MAX_DEPTH } from '../../../model/groups.ts';
import type { GroupId, TenantId } from '../../../model/ids.ts';
import type { Directory } from '../../directory.ts';
import { foreign } from './targets.ts';

type Ancestor = { id: GroupId; name: string };

type Filing = { tenantId: TenantId; groupId: GroupId | null; parentGroupId: GroupId };

/**
 * Refuses to file a group (null: a new one) under a parent: NOT_FOUND, OTHER_TENANT, CYCLE with its path,
 * LIMIT_EXCEEDED if the tree would get deeper than 32 levels. Holds under the graph lock.
 */
export async function assertHierarchyFits(
  directory: Directory,
  sql: Query,
  { tenantId, groupId, parentGroupId }: Filing,
): Promise<void> {
  const above = await sql<Ancestor>(Prisma.sql`
    with recursive up(id, parent_group_id, name, level) as (
      select id, parent_group_id, name, 1 from groups
      where tenant_id = ${tenantId} and id = ${parentGroupId} and deleted_at is null
      union all
      select g.id, g.parent_group_id, g.name, up.level + 1 from up join groups g on g.id = up.parent_group_id
      where g.tenant_id = ${tenantId} and up.level <= ${MAX_DEPTH})
    select id, name from up order by level`);
  if (above.length === 0) throw await foreign(directory, sql, parentGroupId);
  const at = above.findIndex((ancestor) => ancestor.id === groupId);
  if (at >= 0) {
    const below = above.slice(0, at).reverse();
    throw refuse.cycle([above[at]!, ...below, above[at]!]);
  }
  const levels = above.length + (groupId === null ? 1 : await height(sql, tenantId, groupId));
  if (levels > MAX_DEPTH) {
    throw refuse.limit(MAX_DEPTH, `The hierarchy would have ${levels} levels, and may have ${MAX_DEPTH}`);
  }
}

async function height(sql: Query, tenantId: TenantId, groupId: GroupId): Promise<number> {
  const [row] = await sql<{ height: number }>(Prisma.sql`
    with recursive down(id, level) as (
      select ${groupId}::text collate "C", 1
      union all
      select g.id, down.level + 1 from down join groups g on g.parent_group_id = down.id
      where g.tenant_id = ${tenantId} and g.deleted_at is null and down.level <= ${MAX_DEPTH})
    select max(level)::int as height from down`);
  return row!.height;
}

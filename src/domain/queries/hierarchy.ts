// The hierarchy: where a group is filed. A tree of at most 32 levels; it gives no membership.
import { Prisma, type Query } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import { foreign } from '../commands/rules/targets.ts';
import { type Directory, plainUser } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { list } from '../loading/list.ts';
import { groupOrdering, listColumns, toGroupRow } from '../rows/groups.ts';
import type { GroupExtras, GroupRow } from '../rows/rows.ts';
import { findGroup, findGroups } from './groups.ts';

const children = list<GroupExtras, GroupRow>({
  columns: listColumns,
  toRow: toGroupRow,
  order: () => groupOrdering({}),
  from: (directory) => Prisma.sql`from groups g
    where g.parent_group_id = k.id and g.deleted_at is null and ${directory.within(Prisma.sql`g.tenant_id`)}`,
});

/** Groups filed directly below, by name. Null for a plain user. */
export async function listChildren(
  directory: Directory,
  id: string,
  { page, extras = {} }: { page: PageArgs; extras?: GroupExtras },
): Promise<Page<GroupRow> | null> {
  return plainUser(directory) ? null : children.page(directory, id, extras, page);
}

/** How many groups are filed directly below. Null for a plain user. */
export async function countChildren(directory: Directory, id: string): Promise<number | null> {
  return plainUser(directory) ? null : children.count(directory, id, {});
}

/** The group that this one is filed under; null at the root and for a plain user. */
export async function findParent(directory: Directory, group: GroupRow): Promise<GroupRow | null> {
  return group.parentGroupId === null || plainUser(directory)
    ? null
    : findGroup(directory, group.parentGroupId);
}

type Ancestor = { id: GroupId; name: string };

const ancestorsOf = loader<string, Ancestor[]>(async (directory, ids) => {
  const rows = await directory.sql<Ancestor & { bucket: number }>(Prisma.sql`
    with recursive up(bucket, id, parent_group_id, name, level) as (
      select k.o::int, g.id, g.parent_group_id, g.name, 0
      from unnest(${ids}::text[]) with ordinality k(id, o) join groups g on g.id = k.id
      where g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}
      union all
      select up.bucket, g.id, g.parent_group_id, g.name, up.level + 1
      from up join groups g on g.id = up.parent_group_id
      where up.level < ${MAX_DEPTH} and g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)})
    select bucket, id, name from up where level > 0 order by bucket, level desc`);
  const buckets = ids.map(() => [] as Ancestor[]);
  for (const { bucket, id, name } of rows) buckets[bucket - 1]!.push({ id, name });
  return buckets;
});

/** The groups above, the root first. Null for a plain user. */
export async function listAncestors(directory: Directory, id: string): Promise<GroupRow[] | null> {
  if (plainUser(directory)) return null;
  const ancestors = await ancestorsOf(directory).load(id);
  const rows = await findGroups(
    directory,
    ancestors.map((ancestor) => ancestor.id),
  );
  return rows.filter((row) => row !== null);
}

/** Names of the groups above, from the root down, joined by `/`; null at the root and for a plain user. */
export async function groupPath(directory: Directory, id: string): Promise<string | null> {
  if (plainUser(directory)) return null;
  const ancestors = await ancestorsOf(directory).load(id);
  return ancestors.length === 0 ? null : ancestors.map(({ name }) => escapeSegment(name)).join('/');
}

/** `/` and `\` inside a name, escaped by `\`, so that a path can be taken apart again. */
const escapeSegment = (name: string) => name.replaceAll(/[\\/]/g, (char) => `\\${char}`);

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

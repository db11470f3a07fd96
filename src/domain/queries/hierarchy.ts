// The hierarchy, read: parents, ancestors, children and paths. A tree of at most 32 levels, separate from nesting.

import { Prisma, type Query, type Sql } from '../../database/database.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { Directory } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import type { Group, VisibleGroup } from '../rows/groups.ts';
import { groupList } from './group-lists.ts';
import { findGroup } from './groups.ts';

/** Groups directly below a group, by name. Null for an end user. */
export const childGroups = groupList({
  audience: 'administrators',
  from: ({ tenantId, tables }) => Prisma.sql`from ${tables.groups} g
    where g.tenant_id = ${tenantId} and g.parent_group_id = k.id and g.deleted_at is null`,
});

type Ancestor = { id: GroupId; name: string };

/** Each group with its ancestors, nearest first; nothing for an id that is of no such group in the tenant. */
export async function loadAncestors(
  query: Query,
  tenantId: TenantId,
  ids: readonly string[],
  state: 'live' | 'live or deleted',
  groups: Sql = Prisma.sql`groups`,
): Promise<Ancestor[][]> {
  const inState = state === 'live' ? Prisma.sql` and g.deleted_at is null` : Prisma.empty;
  const rows = await query<Ancestor & { ordinal: number }>(Prisma.sql`
    with recursive up(ordinal, id, parent_group_id, name, level) as (
      select k.ordinal::int, g.id, g.parent_group_id, g.name, 1
      from unnest(${ids}::text[]) with ordinality k(id, ordinal) join ${groups} g
        on g.tenant_id = ${tenantId} and g.id = k.id${inState}
      union all
      select up.ordinal, g.id, g.parent_group_id, g.name, up.level + 1
      from up join ${groups} g on g.tenant_id = ${tenantId} and g.id = up.parent_group_id${inState}
      where up.level <= ${MAX_DEPTH})
    select ordinal, id, name from up order by ordinal, level`);
  const ancestors = ids.map((): Ancestor[] => []);
  for (const { ordinal, id, name } of rows) ancestors[ordinal - 1]!.push({ id, name });
  return ancestors;
}

const ancestorsOf = loader({
  audience: 'administrators',
  read: async ({ sql, tenantId, tables }, ids: readonly string[]) =>
    (await loadAncestors(sql, tenantId, ids, 'live', tables.groups)).map(([_self, ...above]) =>
      above.reverse(),
    ),
});

/** The ancestors, the root first. Null for an end user. */
export async function listAncestors(
  directory: Directory,
  id: string,
): Promise<(Group | VisibleGroup)[] | null> {
  const ancestors = await ancestorsOf(directory, id);
  if (ancestors === null) return null;
  const rows = await Promise.all(ancestors.map((ancestor) => findGroup(directory, ancestor.id)));
  return rows.filter((row) => row !== null);
}

/** Names of the ancestors, the root first, joined by `/`; null for a root and for an end user. */
export async function groupPath(directory: Directory, id: string): Promise<string | null> {
  const ancestors = await ancestorsOf(directory, id);
  return ancestors === null || ancestors.length === 0
    ? null
    : ancestors.map(({ name }) => escapeSegment(name)).join('/');
}

/** Escapes `/` and `\` in a name by `\`, so that a path can be split again. */
const escapeSegment = (name: string) => name.replaceAll(/[\\/]/g, (char) => `\\${char}`);

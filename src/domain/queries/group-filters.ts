// Filters of lists of groups: their conditions in SQL, and what of them an end user may use.
import type { z } from 'zod';
import { Prisma, type Sql } from '../../database/database.ts';
import { type GroupFilter, type GroupOrder, groupFilter } from '../../model/groups.ts';
import { parseInput } from '../../model/input.ts';
import { type Directory, endUser, type Reader } from '../directory.ts';
import { matching, searchPatterns } from '../loading/search.ts';

/** A parsed filter. */
export type Conditions = Omit<z.output<typeof groupFilter>, 'search'> & {
  /** LIKE patterns, one for each word. `inName`: in the name alone, all that an end user sees. */
  search: { patterns: string[]; inName: boolean } | null;
};

export type FilterArgs = {
  filter?: GroupFilter | null | undefined;
  orderBy?: GroupOrder | null | undefined;
};

/** The conditions of a filter; null without one. Refused with VALIDATION_FAILED: an invalid filter. */
export function conditionsOf(
  directory: Directory,
  filter: GroupFilter | null | undefined,
): Conditions | null {
  if (filter == null) return null;
  const { search, ...conditions } = parseInput(groupFilter, filter);
  const patterns = searchPatterns(search);
  return { ...conditions, search: patterns && { patterns, inName: endUser(directory) !== null } };
}

/** Whether the caller is an end user who must not learn hidden properties and memberships by filtering or sorting on them. */
export function isHiddenFrom(
  directory: Directory,
  conditions: Conditions | null,
  orderBy: GroupOrder | null | undefined,
): boolean {
  const user = endUser(directory);
  if (!user) return false;
  if (orderBy && orderBy.field !== 'NAME') return true;
  const { ids, type, search, tenantId, memberUserId, ...hidden } = conditions ?? { search: null };
  return (
    // Null selects roots.
    hidden.parentGroupId === null ||
    Object.values(hidden).some((condition) => condition != null) ||
    (tenantId != null && tenantId !== user.tenantId) ||
    (memberUserId != null && memberUserId !== user.userId)
  );
}

/** ` and …` for groups `g` that meet the conditions. */
export function meeting(reader: Reader, conditions: Conditions | null): Sql {
  if (conditions === null) return Prisma.empty;
  const parts = (Object.keys(CONDITIONS) as (keyof Conditions)[]).flatMap((name) => {
    const value = conditions[name];
    // Null is a condition on the parent alone.
    if (value === undefined || (value === null && name !== 'parentGroupId')) return [];
    return [(CONDITIONS[name] as (value: unknown, reader: Reader) => Sql)(value, reader)];
  });
  return parts.length === 0 ? Prisma.empty : Prisma.sql`${Prisma.join(parts, '', '')}`;
}

/** The part of the search key that is the name's. */
const NAME_IN_KEY = Prisma.sql`split_part(g.search_key, chr(10), 1)`;

const CONDITIONS: {
  [Name in keyof Conditions]-?: (value: NonNullable<Conditions[Name]>, reader: Reader) => Sql;
} = {
  // By the tenants of the ids, so that a caller of many tenants does not read them all.
  ids: (ids, { visibility }) =>
    Prisma.sql` and g.id = any(${ids}::text[])${
      visibility.kind === 'tenant'
        ? Prisma.empty
        : Prisma.sql` and g.tenant_id in (select tenant_id from ids where id = any(${ids}::text[]))`
    }`,
  search: ({ patterns, inName }) =>
    Prisma.sql`${matching(Prisma.sql`g.search_key`, patterns)}${matching(NAME_IN_KEY, inName ? patterns : null)}`,
  tenantId: (id) => Prisma.sql` and g.tenant_id = ${id}`,
  partnerId: (id) => Prisma.sql` and g.tenant_id in (select id from tenants where partner_id = ${id})`,
  type: (type) => Prisma.sql` and g.type = ${type}::"GroupType"`,
  parentGroupId: (id) =>
    id === null ? Prisma.sql` and g.parent_group_id is null` : Prisma.sql` and g.parent_group_id = ${id}`,
  underGroupId: (id, { tenantId, tables }) => Prisma.sql` and g.id in (
    with recursive down(id) as (
      select c.id from ${tables.groups} c
      where c.tenant_id = ${tenantId} and c.parent_group_id = ${id} and c.deleted_at is null
      union
      select c.id from down join ${tables.groups} c
        on c.tenant_id = ${tenantId} and c.parent_group_id = down.id and c.deleted_at is null)
    select id from down)`,
  memberUserId: (id, { tables }) => Prisma.sql` and exists (
    select from ${tables.memberships} m where m.tenant_id = g.tenant_id and m.user_id = ${id} and m.group_id = g.id)`,
  updatedSince: (at) => Prisma.sql` and g.updated_at >= ${at}::timestamptz`,
  isEmpty: (isEmpty, { tables }) => Prisma.sql` and ${isEmpty ? Prisma.sql`not ` : Prisma.empty}(
    exists (select from ${tables.memberships} m where m.tenant_id = g.tenant_id and m.group_id = g.id)
    or exists (select from ${tables.nestings} n where n.tenant_id = g.tenant_id and n.parent_group_id = g.id))`,
  // `@>` alone would hold for a part of a nested value, too.
  customAttributes: (
    attributes,
  ) => Prisma.sql` and g.custom_attributes @> ${JSON.stringify(attributes)}::text::jsonb
    and not exists (select from jsonb_each(${JSON.stringify(attributes)}::text::jsonb) a
      where g.custom_attributes -> a.key is distinct from a.value)`,
};

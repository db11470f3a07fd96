// Rows of groups: their types, columns and sort orders, and the part of a group that an end user sees.

import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupOrder, GroupType } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Reader } from '../directory.ts';
import type { Ordering } from '../loading/keyset-page.ts';

type Visible = { id: GroupId; tenantId: TenantId; name: string; type: GroupType };

type Counts = {
  /** Direct members when the row was read. */
  memberCount: number;
  /** Directly nested groups. Only where `GroupProjection` asks for it. */
  nestedGroupCount?: number | undefined;
};

type Details = {
  description: string | null;
  parentGroupId: GroupId | null;
  customAttributes: JsonObject | null;
  createdAt: Date;
  updatedAt: Date;
};

/** The properties of `Part` are absent. Declaring them lets TypeScript tell the types below apart. */
type Without<Part> = { [Property in keyof Part]?: undefined };

/** A live group with all of its columns. */
export type Group = Visible & { version: number } & Counts & Details;

/** A row of a list that was read with `GroupProjection.summary`. */
export type GroupSummary = Visible & { version: number } & Counts & Without<Details>;

/** What an end user sees of a group that it is an effective member of. */
export type VisibleGroup = Visible & Without<{ version: number } & Counts & Details>;

export type AnyGroup = Group | GroupSummary | VisibleGroup;

/**
 * What a list of groups reads: `nestedGroupCount` only where it is true; with `summary` the columns of a `GroupSummary` in
 * place of all columns.
 */
export type GroupProjection = { nestedGroupCount?: boolean; summary?: boolean };

/** Columns of a `Group` under the alias `g`. */
export const groupColumns: Sql = Prisma.sql`g.id, g.tenant_id as "tenantId", g.name, g.type, g.description,
  g.parent_group_id as "parentGroupId", g.custom_attributes as "customAttributes", g.version,
  g.created_at as "createdAt", g.updated_at as "updatedAt", g.member_count as "memberCount"`;

/**
 * Groups of the tenant with these ids, live or not, under the alias `g`. Each id is looked up by itself: a plan for the average
 * tenant would look for `id = any(…)` among all groups of the tenant, which is fast for few groups and slow for many.
 */
export const groupsWithIds = (
  tenantId: TenantId,
  ids: readonly string[],
  groups: Sql = Prisma.sql`groups`,
): Sql => Prisma.sql`
  unnest(${[...new Set(ids)]}::text[]) i(id) cross join lateral (
    select * from ${groups} g where tenant_id = ${tenantId} and id = i.id offset 0) g`;

/** Columns of a `GroupSummary`, which suffice for most lists. */
const summaryColumns: Sql = Prisma.sql`g.id, g.tenant_id as "tenantId", g.name, g.type, g.version,
  g.member_count as "memberCount"`;

/** The columns of a list for a projection. */
export function listColumns(reader: Reader, projection: GroupProjection): Sql {
  const columns = projection.summary ? summaryColumns : groupColumns;
  if (!projection.nestedGroupCount) return columns;
  return Prisma.sql`${columns}, (select count(*)::int from ${reader.tables.nestings} n
    where ${reader.within(Prisma.sql`n.tenant_id`)} and n.tenant_id = g.tenant_id and n.parent_group_id = g.id)
    as "nestedGroupCount"`;
}

/** The group of a list's raw row, without the columns that the list itself needs. */
export function toListedGroup(raw: Group | GroupSummary): Group | GroupSummary {
  // What a summary lacks stays undefined. No spread: it takes thirteen times as long, for each row of each list.
  return {
    id: raw.id,
    tenantId: raw.tenantId,
    name: raw.name,
    type: raw.type,
    description: raw.description,
    parentGroupId: raw.parentGroupId,
    customAttributes: raw.customAttributes,
    version: raw.version,
    createdAt: raw.createdAt,
    updatedAt: raw.updatedAt,
    memberCount: raw.memberCount,
    nestedGroupCount: raw.nestedGroupCount,
  } as Group | GroupSummary;
}

/** The sort order of a list of groups; by name, ascending, by default. */
export function groupOrdering({ orderBy }: { orderBy?: GroupOrder | null | undefined }): Ordering {
  const descending = orderBy?.direction === 'DESC';
  const id = { column: Prisma.sql`g.id`, type: 'text' as const, alias: 'id' };
  const { tag, key } = SORT_KEYS[orderBy?.field ?? 'NAME'];
  return { tag, descending, keys: [key, id] };
}

const SORT_KEYS = {
  NAME: { tag: 'name', key: { column: Prisma.sql`g.name_key`, type: 'text' } },
  CREATED_AT: { tag: 'created', key: { column: Prisma.sql`g.created_at`, type: 'timestamptz' } },
  UPDATED_AT: { tag: 'updated', key: { column: Prisma.sql`g.updated_at`, type: 'timestamptz' } },
} as const;

/** The part of a group that an end user sees. Properties are listed one by one, so that a new one is hidden by default. */
export const redact = ({ id, tenantId, name, type }: Group | GroupSummary): VisibleGroup => ({
  id,
  tenantId,
  name,
  type,
});

/** Whether the group was read for an end user, who sees no more of it than a `VisibleGroup`. */
export const isVisibleGroup = (group: AnyGroup): group is VisibleGroup => group.version === undefined;

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
  /**
   * Increases with each change of the group's direct memberships and of its tenant's users: a page of members read at
   * this version is valid while the version is the same. Only where `GroupProjection` asks for it.
   */
  membersVersion?: string | undefined;
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

/** A group as a command returns it whose counts the change may have made out of date: read them with `countMembers`. */
export type GroupWithoutCounts = Visible & { version: number } & Details & Without<Counts>;

/** A row of a list that was read with `GroupProjection.summary`. */
export type GroupSummary = Visible & { version: number } & Counts & Without<Details>;

/** What an end user sees of a group that it is an effective member of. */
export type VisibleGroup = Visible & Without<{ version: number } & Counts & Details>;

export type AnyGroup = Group | GroupWithoutCounts | GroupSummary | VisibleGroup;

/**
 * What a list of groups reads: `nestedGroupCount` and `membersVersion` only where they are true; with `summary` the
 * columns of a `GroupSummary` in place of all columns.
 */
export type GroupProjection = { nestedGroupCount?: boolean; membersVersion?: boolean; summary?: boolean };

/** Columns of a `Group` under the alias `g`. */
export const groupColumns: Sql = Prisma.sql`g.id, g.tenant_id as "tenantId", g.name, g.type::text as type, g.description,
  g.parent_group_id as "parentGroupId", g.custom_attributes as "customAttributes", g.version,
  g.created_at as "createdAt", g.updated_at as "updatedAt", g.member_count as "memberCount"`;

/** Columns of a `GroupSummary`, which suffice for most lists. */
const summaryColumns: Sql = Prisma.sql`g.id, g.tenant_id as "tenantId", g.name, g.type::text as type, g.version,
  g.member_count as "memberCount"`;

/** The column `membersVersion`. */
export function membersVersion({ visibility }: Reader): Sql {
  // For a caller of one tenant, a constant id makes PostgreSQL read the tenant once, and not once for each row.
  const tenantId =
    visibility.kind === 'tenant' ? Prisma.sql`${visibility.tenantId}` : Prisma.sql`g.tenant_id`;
  return Prisma.sql`g.membership_version || '.' || (select user_version from tenants where id = ${tenantId}) as "membersVersion"`;
}

/** The columns of a list for a projection. */
export function listColumns(directory: Reader, projection: GroupProjection): Sql {
  const columns = projection.summary ? summaryColumns : groupColumns;
  const versioned = projection.membersVersion
    ? Prisma.sql`${columns}, ${membersVersion(directory)}`
    : columns;
  if (!projection.nestedGroupCount) return versioned;
  return Prisma.sql`${versioned}, (select count(*)::int from nestings n
    where n.parent_group_id = g.id and ${directory.scope(Prisma.sql`n.tenant_id`)}) as "nestedGroupCount"`;
}

const toSummary = (raw: Group | GroupSummary): GroupSummary => ({
  id: raw.id,
  tenantId: raw.tenantId,
  name: raw.name,
  type: raw.type,
  version: raw.version,
  memberCount: raw.memberCount,
  membersVersion: raw.membersVersion,
  nestedGroupCount: raw.nestedGroupCount,
});

/** The group of a list's raw row, without the columns that the list itself needs. */
export function toListedGroup(raw: Group | GroupSummary): Group | GroupSummary {
  if (raw.createdAt === undefined) return toSummary(raw);
  // Not `...toSummary(raw)`: the spread takes three times as long, for each row of each list.
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
    membersVersion: raw.membersVersion,
    nestedGroupCount: raw.nestedGroupCount,
  };
}

/** The group after a change that may have changed its counts. */
export const withoutCounts = (group: Group): GroupWithoutCounts => ({
  ...group,
  memberCount: undefined,
  membersVersion: undefined,
  nestedGroupCount: undefined,
});

/** The sort order of a list of groups; by name, ascending, by default. */
export function groupOrdering({ orderBy }: { orderBy?: GroupOrder | null | undefined }): Ordering {
  const descending = orderBy?.direction === 'DESC';
  const id = { column: Prisma.sql`g.id`, type: 'text' as const, alias: 'id' };
  return orderBy?.field === 'CREATED_AT'
    ? { tag: 'created', descending, keys: [{ column: Prisma.sql`g.created_at`, type: 'timestamptz' }, id] }
    : { tag: 'name', descending, keys: [{ column: Prisma.sql`g.name_key`, type: 'text' }, id] };
}

/** The part of a group that an end user sees. Properties are listed one by one, so that a new one is hidden by default. */
export const redact = ({ id, tenantId, name, type }: Group | GroupSummary): VisibleGroup => ({
  id,
  tenantId,
  name,
  type,
});

/** Whether the group was read for an end user, who sees no more of it than a `VisibleGroup`. */
export const isVisibleGroup = (group: AnyGroup): group is VisibleGroup => group.version === undefined;

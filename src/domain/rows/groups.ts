// Rows of groups: their columns, their order, their lock, and what of them a plain user sees.

import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupOrder, GroupType } from '../../model/groups.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Reader } from '../directory.ts';
import type { Ordering } from '../loading/keyset-page.ts';

/** A live group. For an end user all but id, name and type is null: see `redact`. */
export type GroupRow = {
  id: GroupId;
  tenantId: TenantId;
  name: string;
  type: GroupType;
  description: string | null;
  parentGroupId: GroupId | null;
  customAttributes: JsonObject | null;
  version: number | null;
  createdAt: Date | null;
  updatedAt: Date | null;
  /** Direct members when the row was read; null where that may have changed since, or is hidden: ask `countMembers`. */
  memberCount: number | null;
  /**
   * Rises with each change of its direct memberships and of users of its tenant, so that a page of members that was read
   * at it stands as long as it does; null where the reader did not ask for it (`GroupProjection`), or after a change.
   */
  membersVersion?: string | null | undefined;
  /** Directly nested groups, where the reader asked for them (`GroupProjection`). */
  nestedGroupCount?: number | undefined;
};

/**
 * What a list of groups reads: `nestedGroupCount` and `membersVersion` where they are true, and with `summary` only the
 * columns of a summary row (`summaryColumns`).
 */
export type GroupProjection = { nestedGroupCount?: boolean; membersVersion?: boolean; summary?: boolean };

/** Columns of a group under the alias `g`, named as in GroupRow. */
export const groupColumns: Sql = Prisma.sql`g.id, g.tenant_id as "tenantId", g.name, g.type::text as type, g.description,
  g.parent_group_id as "parentGroupId", g.custom_attributes as "customAttributes", g.version,
  g.created_at as "createdAt", g.updated_at as "updatedAt", g.member_count as "memberCount"`;

/** The columns of a summary row: what most lists show. In its GroupRow the other properties are null. */
const summaryColumns: Sql = Prisma.sql`g.id, g.tenant_id as "tenantId", g.name, g.type::text as type, g.version,
  g.member_count as "memberCount"`;

/** The column `membersVersion`. */
export function membersVersion({ visibility }: Reader): Sql {
  // A tenant that is known beforehand is looked up once, not for each row.
  const tenantId =
    visibility.kind === 'tenant' ? Prisma.sql`${visibility.tenantId}` : Prisma.sql`g.tenant_id`;
  return Prisma.sql`g.membership_version || '.' || (select user_version from tenants where id = ${tenantId}) as "membersVersion"`;
}

/** The columns of a list, with what is asked for beside them. */
export function listColumns(directory: Reader, projection: GroupProjection): Sql {
  const columns = projection.summary ? summaryColumns : groupColumns;
  const versioned = projection.membersVersion
    ? Prisma.sql`${columns}, ${membersVersion(directory)}`
    : columns;
  if (!projection.nestedGroupCount) return versioned;
  return Prisma.sql`${versioned}, (select count(*)::int from nestings n
    where n.parent_group_id = g.id and ${directory.scope(Prisma.sql`n.tenant_id`)}) as "nestedGroupCount"`;
}

/** A group of a list, without what the list needed beside it. */
export function toGroupRow(raw: GroupRow): GroupRow {
  return {
    id: raw.id,
    tenantId: raw.tenantId,
    name: raw.name,
    type: raw.type,
    description: raw.description ?? null,
    parentGroupId: raw.parentGroupId ?? null,
    customAttributes: raw.customAttributes ?? null,
    version: raw.version,
    createdAt: raw.createdAt ?? null,
    updatedAt: raw.updatedAt ?? null,
    memberCount: raw.memberCount,
    membersVersion: raw.membersVersion,
    nestedGroupCount: raw.nestedGroupCount,
  };
}

/** The row as it must be given back by a change that may have counted anew. */
export const withoutCounts = (group: GroupRow): GroupRow => ({
  ...group,
  memberCount: null,
  membersVersion: null,
});

/** The sort order of lists of groups; by name unless told otherwise. */
export function groupOrdering({ orderBy }: { orderBy?: GroupOrder | null | undefined }): Ordering {
  const descending = orderBy?.direction === 'DESC';
  const id = { column: Prisma.sql`g.id`, type: 'text' as const, alias: 'id' };
  return orderBy?.field === 'CREATED_AT'
    ? { tag: 'created', descending, keys: [{ column: Prisma.sql`g.created_at`, type: 'timestamptz' }, id] }
    : { tag: 'name', descending, keys: [{ column: Prisma.sql`g.name_key`, type: 'text' }, id] };
}

/** What an end user sees of a group it belongs to: id, name and type. Each property is named, so that a new one is hidden too. */
export function redact({ id, tenantId, name, type }: GroupRow): GroupRow {
  return {
    id,
    tenantId,
    name,
    type,
    description: null,
    parentGroupId: null,
    customAttributes: null,
    version: null,
    createdAt: null,
    updatedAt: null,
    memberCount: null,
    membersVersion: null,
    nestedGroupCount: undefined,
  };
}

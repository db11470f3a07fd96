// What the domain gives back: rows of groups, members, users, tenants, as far as the caller may see them.
import type { GroupType } from '../model/groups.ts';
import type { GroupId, PartnerId, TenantId, UserId } from '../model/ids.ts';
import type { JsonObject } from '../model/json.ts';
import type { MembershipType } from '../model/members.ts';

/** A live group. For an end user all but id, name and type is null: see `redact` in group-rows.ts. */
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
   * at it stands as long as it does; null where the reader did not ask for it (`GroupExtras`), or after a change.
   */
  membersVersion?: string | null | undefined;
  /** Directly nested groups, where the reader asked for them (`GroupExtras`). */
  nestedGroupCount?: number | undefined;
};

/**
 * What a list of groups reads: `nestedGroupCount` and `membersVersion` where they are true, and with `summary` only the
 * columns of a summary row (`summaryColumns` in group-rows.ts).
 */
export type GroupExtras = { nestedGroupCount?: boolean; membersVersion?: boolean; summary?: boolean };

/** What a list of members reads: without what is false, which its readers do not look at. */
export type MemberExtras = { addedAt?: boolean; user?: boolean };

export type UserRow = { id: UserId; tenantId: TenantId; email: string; displayName: string | null };
export type TenantRow = { id: TenantId; partnerId: PartnerId; name: string; slug: string };
export type PartnerRow = { id: PartnerId; name: string };

/** A user as member of a group. `addedAt` is null where no direct membership exists. */
export type MemberRow = {
  groupId: GroupId;
  userId: UserId;
  email: string;
  displayName: string | null;
  membershipType: MembershipType;
  addedAt: Date | null;
  user: UserRow;
};

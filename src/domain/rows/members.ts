// Rows of members: their types and columns, and the conversion from raw rows.

import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupId, UserId } from '../../model/ids.ts';
import type { MembershipType } from '../../model/members.ts';
import type { UserRow } from './users.ts';

/** What a list of members reads: a property that is false is not read, and must not be used. */
export type MemberProjection = { addedAt?: boolean; user?: boolean };

/** A user as a member of a group. `addedAt` is null without a direct membership. */
export type MemberRow = {
  groupId: GroupId;
  userId: UserId;
  email: string;
  displayName: string | null;
  membershipType: MembershipType;
  addedAt: Date | null;
  user: UserRow;
};

export type RawMember = Pick<MemberRow, 'userId' | 'email' | 'displayName'> & {
  userTenantId: MemberRow['user']['tenantId'];
  addedAt?: Date | null;
  membershipType?: MembershipType;
};

/** Columns of the member's user, under the alias `u`. */
export const memberUserColumns: Sql = Prisma.sql`u.id as "userId", u.email, u.display_name as "displayName",
  u.tenant_id as "userTenantId"`;

/** The columns of a list of direct members, whose memberships have the alias `m`. */
export function directMemberColumns({ addedAt = true, user = true }: MemberProjection): Sql {
  const columns = user ? memberUserColumns : Prisma.sql`u.id as "userId", u.email`;
  return addedAt ? Prisma.sql`${columns}, m.added_at as "addedAt"` : columns;
}

export function toMemberRow(raw: RawMember, groupId: string): MemberRow {
  const { userId, email, displayName = null, userTenantId, addedAt = null, membershipType = 'DIRECT' } = raw;
  const user = { id: userId, tenantId: userTenantId, email, displayName };
  return {
    groupId: groupId as MemberRow['groupId'],
    userId,
    email,
    displayName,
    membershipType,
    addedAt,
    user,
  };
}

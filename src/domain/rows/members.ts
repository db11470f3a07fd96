// Rows of members: the user's columns, and how a row of SQL becomes a member.

import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupId, UserId } from '../../model/ids.ts';
import type { MembershipType } from '../../model/members.ts';
import type { UserRow } from './users.ts';

/** What a list of members reads: without what is false, which its readers do not look at. */
export type MemberProjection = { addedAt?: boolean; user?: boolean };

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

export type RawMember = Pick<MemberRow, 'userId' | 'email' | 'displayName'> & {
  userTenantId: MemberRow['user']['tenantId'];
  addedAt?: Date | null;
  membershipType?: MembershipType;
};

/** Columns of a user as member, under the alias `u`. */
export const memberUserColumns: Sql = Prisma.sql`u.id as "userId", u.email, u.display_name as "displayName",
  u.tenant_id as "userTenantId"`;

/** The columns of a list of direct members. */
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

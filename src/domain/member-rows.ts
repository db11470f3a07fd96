// Rows of members: the user's columns, and how a row of SQL becomes a member.
import { Prisma, type Sql } from '../database/database.ts';
import type { MembershipType } from '../model/members.ts';
import type { MemberExtras, MemberRow } from './rows.ts';

export type RawMember = Pick<MemberRow, 'userId' | 'email' | 'displayName'> & {
  userTenantId: MemberRow['user']['tenantId'];
  addedAt: Date | null;
  membershipType?: MembershipType;
};

/** Columns of a user as member, under the alias `u`. */
export const memberUserColumns: Sql = Prisma.sql`u.id as "userId", u.email, u.display_name as "displayName",
  u.tenant_id as "userTenantId"`;

/** When the direct membership began, where it is asked for. */
export const addedAtColumn = (column: Sql, { addedAt = true }: MemberExtras): Sql =>
  addedAt ? Prisma.sql`${column} as "addedAt"` : Prisma.sql`null::timestamptz as "addedAt"`;

export function toMemberRow(raw: RawMember, groupId: string): MemberRow {
  const { userId, email, displayName, userTenantId, addedAt, membershipType = 'DIRECT' } = raw;
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

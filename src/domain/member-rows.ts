// Rows of members: the user's columns, and how a row of SQL becomes a member.
import { Prisma, type Sql } from '../database/database.ts';
import type { MemberRow } from './rows.ts';

type RawMember = Omit<MemberRow, 'user'> & { userTenantId: MemberRow['user']['tenantId'] };

/** Columns of a user as member, under the alias `u`. */
export const memberUserColumns: Sql = Prisma.sql`k.id as "groupId", u.id as "userId", u.email, u.display_name as "displayName",
  u.tenant_id as "userTenantId"`;

export function toMemberRow({ userTenantId, ...row }: RawMember): MemberRow {
  const { groupId, userId, email, displayName, membershipType, addedAt } = row;
  const user = { id: userId, tenantId: userTenantId, email, displayName };
  return { groupId, userId, email, displayName, membershipType, addedAt, user };
}

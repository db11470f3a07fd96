// Rows of users: their type and columns.
import { Prisma, type Sql } from '../../database/database.ts';
import type { TenantId, UserId } from '../../model/ids.ts';

export type UserRow = { id: UserId; tenantId: TenantId; email: string; displayName: string | null };

/** Columns of a `UserRow` under the alias `u`. */
export const userColumns: Sql = Prisma.sql`u.id, u.tenant_id as "tenantId", u.email, u.display_name as "displayName"`;

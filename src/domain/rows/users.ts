// Rows of users.
import type { TenantId, UserId } from '../../model/ids.ts';

export type UserRow = { id: UserId; tenantId: TenantId; email: string; displayName: string | null };

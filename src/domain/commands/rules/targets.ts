// Checks on the target and the arguments of a change: visibility, permission, version, number of ids, known users.

import { Prisma } from '../../../database/database.ts';
import { refuse } from '../../../model/errors.ts';
import { MAX_IDS_PER_CALL } from '../../../model/groups.ts';
import type { TenantId } from '../../../model/ids.ts';
import { type Directory, mayChange } from '../../directory.ts';
import type { WriteContext } from '../../log/write-context.ts';
import { requireGroup } from '../../queries/groups.ts';
import { findTenant } from '../../queries/tenants.ts';
import { type Group, isVisibleGroup } from '../../rows/groups.ts';

/** Optimistic concurrency control: refused with VERSION_CONFLICT and the current version unless it is the expected one. */
export function assertExpectedVersion({ version }: Group, expectedVersion: number | null | undefined): void {
  if (expectedVersion != null && version !== expectedVersion) {
    throw refuse.versionConflict(version);
  }
}

/** The error for a group outside the tenant of a change: OTHER_TENANT if it is visible to the caller, else NOT_FOUND. */
export async function notInTenant(directory: Directory, tx: WriteContext, id: string): Promise<Error> {
  const [other] = await seenElsewhere(directory, tx, [id]);
  if (!other) return refuse.notFound(id);
  const [live] = await tx.query(Prisma.sql`
    select id from groups where tenant_id = ${other.tenantId} and id = ${id} and deleted_at is null`);
  return live ? refuse.otherTenant(id) : refuse.notFound(id);
}

/**
 * Those of the ids that belong to another tenant which the caller sees. Read inside the transaction: while it holds a
 * connection, waiting for another one of the pool could be waiting for itself.
 */
export async function seenElsewhere(
  { visibility }: Directory,
  { query, tenantId }: WriteContext,
  ids: readonly string[],
): Promise<{ id: string; tenantId: TenantId }[]> {
  if (visibility.kind === 'tenant') return [];
  const others = await query<{ id: string; tenantId: TenantId }>(Prisma.sql`
    select id, tenant_id as "tenantId" from ids where id = any(${[...ids]}::text[]) and tenant_id <> ${tenantId}`);
  if (visibility.kind === 'all') return others;
  const seen = await query<{ id: TenantId }>(Prisma.sql`
    select id from tenants where partner_id = ${visibility.partnerId}
      and id = any(${others.map((other) => other.tenantId)}::text[])`);
  const isSeen = new Set(seen.map(({ id }) => id));
  return others.filter((other) => isSeen.has(other.tenantId));
}

/** The group to be changed. Refused: NOT_FOUND if it is not visible, FORBIDDEN if the caller may only read it. */
export async function requireGroupToChange(directory: Directory, id: string): Promise<Group> {
  const group = await requireGroup(directory, id);
  if (isVisibleGroup(group) || !mayChange(directory)) throw refuse.forbidden();
  return group;
}

/** Refused with NOT_FOUND if the tenant is not visible. `transact` refuses callers that may only read it. */
export async function requireTenant(directory: Directory, tenantId: TenantId): Promise<void> {
  if (!(await findTenant(directory, tenantId))) throw refuse.notFound(tenantId);
}

/** Refused with LIMIT_EXCEEDED if one call names more than 1,000 ids. */
export function assertBatchSize(...batches: readonly (readonly unknown[])[]): void {
  const size = batches.reduce((sum, batch) => sum + batch.length, 0);
  const message = `A call may name at most ${MAX_IDS_PER_CALL} ids; this one names ${size}`;
  if (size > MAX_IDS_PER_CALL) throw refuse.limit(MAX_IDS_PER_CALL, message);
}

/** Refused with UNKNOWN_USERS unless all are live users of the tenant. */
export async function assertKnownUsers(
  { query, tenantId }: WriteContext,
  userIds: readonly string[],
): Promise<void> {
  if (userIds.length === 0) return;
  const rows = await query<{ id: string }>(Prisma.sql`
    select id from users where tenant_id = ${tenantId} and id = any(${[...userIds]}::text[]) and until is null`);
  const known = new Set(rows.map(({ id }) => id));
  const unknown = [...new Set(userIds)].filter((id) => !known.has(id));
  if (unknown.length > 0) throw refuse.unknownUsers(unknown);
}

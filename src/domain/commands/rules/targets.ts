// The thing that a change is aimed at: found or not, and as the caller last saw it or not.

import { Prisma } from '../../../database/database.ts';
import { refuse } from '../../../model/errors.ts';
import { MAX_IDS_PER_CALL } from '../../../model/groups.ts';
import type { TenantId } from '../../../model/ids.ts';
import { assertMayChange, type Directory, mayChange } from '../../directory.ts';
import type { WriteContext } from '../../log/write-context.ts';
import { requireGroup } from '../../queries/groups.ts';
import { findTenant } from '../../queries/tenants.ts';
import { type Group, isVisibleGroup } from '../../rows/groups.ts';

/** Optimistic concurrency: refused with the current version if the caller has seen an older one. */
export function assertExpectedVersion({ version }: Group, expectedVersion: number | null | undefined): void {
  if (expectedVersion != null && version !== expectedVersion) {
    throw refuse.versionConflict(version);
  }
}

/** The refusal of a group that is not in the tenant of a change: OTHER_TENANT if the caller sees it, else NOT_FOUND. */
export async function notInTenant(directory: Directory, { query }: WriteContext, id: string): Promise<Error> {
  const [seen] = await query(Prisma.sql`
    select id from groups where id = ${id} and deleted_at is null and ${directory.scope(Prisma.sql`tenant_id`)}`);
  return seen ? refuse.otherTenant(id) : refuse.notFound(id);
}

/** The group of a change. Refused: NOT_FOUND if it is hidden, FORBIDDEN if the caller may only read it. */
export async function requireGroupToChange(directory: Directory, id: string): Promise<Group> {
  const group = await requireGroup(directory, id);
  if (isVisibleGroup(group) || !mayChange(directory)) throw refuse.forbidden();
  return group;
}

/** Refuses a tenant that is hidden as NOT_FOUND, and callers that may only read it as FORBIDDEN. */
export async function requireTenantToChange(directory: Directory, tenantId: TenantId): Promise<void> {
  const tenant = await findTenant(directory, tenantId);
  if (!tenant) throw refuse.notFound(tenantId);
  assertMayChange(directory);
}

/** Refused with LIMIT_EXCEEDED above 1,000 ids in one call. */
export function assertBatchSize(...batches: readonly (readonly unknown[])[]): void {
  const size = batches.reduce((sum, batch) => sum + batch.length, 0);
  if (size > MAX_IDS_PER_CALL) {
    throw refuse.limit(
      MAX_IDS_PER_CALL,
      `A call may name ${MAX_IDS_PER_CALL} ids, and this one names ${size}`,
    );
  }
}

/** Refused with UNKNOWN_USERS unless each user is of the tenant; keeps them from being removed until the transaction ends. */
export async function assertKnownUsers(
  { query, tenantId }: WriteContext,
  userIds: readonly string[],
): Promise<void> {
  if (userIds.length === 0) return;
  const known = await query<{ id: string }>(Prisma.sql`
    select id from users where tenant_id = ${tenantId} and id = any(${[...userIds]}::text[]) order by id for key share`);
  const ids = new Set(known.map((user) => user.id));
  const unknown = [...new Set(userIds)].filter((id) => !ids.has(id));
  if (unknown.length > 0) throw refuse.unknownUsers(unknown);
}

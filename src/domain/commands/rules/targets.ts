// The thing that a change is aimed at: found or not, and as the caller last saw it or not.

import { Prisma, type Query } from '../../../database/database.ts';
import { refuse } from '../../../model/errors.ts';
import type { TenantId } from '../../../model/ids.ts';
import { assertMayChange, type Directory } from '../../directory.ts';
import { findTenant } from '../../queries/tenants.ts';
import type { GroupRow } from '../../rows/groups.ts';

/** Optimistic concurrency: refused with the current version if the caller has seen an older one. */
export function assertExpectedVersion(group: GroupRow, expectedVersion: number | null | undefined): void {
  if (expectedVersion != null && group.version !== expectedVersion) {
    throw refuse.versionConflict(group.version ?? 0);
  }
}

/** The refusal for an end that is not in the tenant: of another tenant if the caller sees it, else not found. */
export async function foreign(directory: Directory, sql: Query, id: string): Promise<Error> {
  const [seen] = await sql(Prisma.sql`
    select id from groups where id = ${id} and deleted_at is null and ${directory.scope(Prisma.sql`tenant_id`)}`);
  return seen ? refuse.otherTenant(id) : refuse.notFound(id);
}

/** Refuses a tenant that is hidden as not found, and callers that may only read. */
export async function requireTenant(directory: Directory, tenantId: TenantId): Promise<void> {
  const tenant = await findTenant(directory, tenantId);
  if (!tenant) throw refuse.notFound(tenantId);
  assertMayChange(directory);
}

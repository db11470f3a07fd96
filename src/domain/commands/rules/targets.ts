// The thing that a change is aimed at: found or not, and as the caller last saw it or not.
import { Prisma, type Query } from '../../../database/database.ts';
import { refuse } from '../../../model/errors.ts';
import type { Directory } from '../../directory.ts';
import { findGroup } from '../../queries/groups.ts';
import type { GroupRow } from '../../rows/rows.ts';

/** The group, or a refusal that is the same for hidden, deleted and never issued ids. */
export async function requireGroup(directory: Directory, id: string): Promise<GroupRow> {
  const group = await findGroup(directory, id);
  if (!group) throw refuse.notFound(id);
  return group;
}

/** The group if it is of that tenant; refused like `requireGroup`, so that a group under a wrong tenant is not found. */
export async function requireGroupOf(directory: Directory, tenantId: string, id: string): Promise<GroupRow> {
  const group = await requireGroup(directory, id);
  if (group.tenantId !== tenantId) throw refuse.notFound(id);
  return group;
}

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

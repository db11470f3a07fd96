// The lock under which a tenant's graph (hierarchy and nesting) changes, one change at a time.
import { Prisma, type Query } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import type { TenantId } from '../../model/ids.ts';
import { assertMayChange, type Directory } from '../directory.ts';

/**
 * Takes the tenant's row: must be the transaction's first statement, so that every later statement sees what the
 * change before it committed (READ COMMITTED takes a snapshot a statement). Refused: NOT_FOUND if the tenant is not
 * in sight, FORBIDDEN if it may not be changed.
 */
export async function lockGraph(directory: Directory, sql: Query, tenantId: TenantId): Promise<void> {
  const [tenant] = await sql(Prisma.sql`
    select id from tenants where id = ${tenantId} and ${directory.scope(Prisma.sql`id`)} for no key update`);
  if (!tenant || directory.caller.role === 'USER') throw refuse.notFound(tenantId);
  assertMayChange(directory);
}

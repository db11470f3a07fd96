// Creates and renames tenants, for callers who see all of them.

import { Prisma } from '../../database/database.ts';
import { databaseError } from '../../database/errors.ts';
import { refuse } from '../../model/errors.ts';
import { newId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import {
  type CreateTenantInput,
  createTenantInput,
  type UpdateTenantInput,
  updateTenantInput,
} from '../../model/tenants.ts';
import { type Directory, mayChange, type Positioned } from '../directory.ts';
import { findTenant } from '../queries/tenants.ts';
import { type TenantRow, tenantColumns } from '../rows/tenants.ts';
import { insertTenant, renameTenant } from '../writes/tenants.ts';

export type ChangedTenant = Positioned & { tenant: TenantRow };

const mayChangeTenants = (directory: Directory): boolean =>
  directory.visibility.kind === 'all' && mayChange(directory);

/**
 * Creates a tenant. Its log begins at position 0: there is nothing in it that could have changed.
 * Refused: FORBIDDEN, NOT_FOUND (the partner), VALIDATION_FAILED (an id that there is already).
 */
export async function createTenant(directory: Directory, input: CreateTenantInput): Promise<ChangedTenant> {
  const { id, ...fields } = parseInput(createTenantInput, input);
  if (!mayChangeTenants(directory)) throw refuse.forbidden();
  const tenant: TenantRow = { id: id ?? newId('tenant'), ...fields };
  const options = { signal: directory.signal };
  const isNew = await directory.db
    .transaction((query) => insertTenant(query, tenant), options)
    .catch((error: unknown) => {
      throw databaseError(error);
    });
  if (isNew === null) throw refuse.notFound(tenant.partnerId);
  if (!isNew) throw refuse.validation([{ path: ['id'], message: 'is the id of another tenant' }]);
  directory.committed(tenant.id, 0);
  return { tenant, position: 0 };
}

/** Renames a tenant. Refused: NOT_FOUND, FORBIDDEN, VALIDATION_FAILED. */
export async function updateTenant(directory: Directory, input: UpdateTenantInput): Promise<ChangedTenant> {
  const { id, ...fields } = parseInput(updateTenantInput, input);
  if (!(await findTenant(directory, id))) throw refuse.notFound(id);
  if (!mayChangeTenants(directory)) throw refuse.forbidden();
  return directory.transact(id, async (tx) => {
    const [before] = await tx.query<TenantRow>(
      Prisma.sql`select ${tenantColumns} from tenants t where t.id = ${id}`,
    );
    const { name = before!.name, slug = before!.slug } = fields;
    const tenant = { ...before!, name, slug };
    await renameTenant(tx, tenant, before!);
    return { tenant };
  });
}

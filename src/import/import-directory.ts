// Imports a directory, one transaction per tenant. The import is idempotent.

import { type Database, Prisma, type Query } from '../database/database.ts';
import type { Actor } from '../domain/log/changes.ts';
import { changeTenant, type WriteContext } from '../domain/log/write-context.ts';
import { type TenantRow, tenantColumns } from '../domain/rows/tenants.ts';
import { insertTenant, renameTenant } from '../domain/writes/tenants.ts';
import { loadTenant, type Tallies } from './load-tenant.ts';
import type { Rows, Source } from './rows.ts';
import { type Spooled, spool } from './spool.ts';
import { verifyTenant } from './verify.ts';

export type TenantReport = { tenantId: string; name: string; faults: string[]; tallies: Tallies | null };
export type ImportReport = {
  tenants: TenantReport[];
  /** Faults of rows that belong to no valid tenant of the file; these rows are not stored. */
  faults: string[];
  /** Unknown keys of the file that hold no rows; absent if there are none. */
  skipped?: string[];
};

export type ImportOptions = { onTenant?: (done: number, total: number) => void };

/**
 * Imports all rows of a source: each tenant completely or not at all. An invalid row or a failing tenant does not throw;
 * the report says what was refused and why. Throws if the source cannot be read.
 */
export async function importDirectory(
  db: Database,
  source: Source,
  { onTenant = () => {} }: ImportOptions = {},
): Promise<ImportReport> {
  const spooled = await spool(source);
  try {
    await upsertPartners(db, spooled.partners);
    const tenants: TenantReport[] = [];
    for (const tenant of spooled.tenants) {
      tenants.push(await importTenant(db, tenant, spooled));
      onTenant(tenants.length, spooled.tenants.length);
    }
    const { rootFaults, skipped } = spooled;
    return { tenants, faults: rootFaults, ...(skipped.length > 0 && { skipped }) };
  } finally {
    await spooled.remove();
  }
}

/** The author of imported changes. */
const ACTOR: Actor = { id: 'import', type: 'service' };

/** Rolls the transaction of a tenant back, and carries the reasons. */
class Refused extends Error {
  readonly faults: string[];

  constructor(faults: string[]) {
    super(faults.join('; '));
    this.faults = faults;
  }
}

async function importTenant(db: Database, tenant: Rows['tenants'], spooled: Spooled): Promise<TenantReport> {
  const { id: tenantId, name } = tenant;
  const rowFaults = spooled.tenantFaults.get(tenantId) ?? [];
  if (rowFaults.length > 0) return { tenantId, name, faults: rowFaults, tallies: null };
  const rows = await spooled.read(tenantId);
  try {
    const loaded = await db.transaction(async (query) => {
      await createTenant(query, tenant);
      return changeTenant({ query, tenantId, actor: ACTOR }, async (tx) => {
        await updateTenant(tx, tenant);
        const faults = await verifyTenant(query, tenantId, rows);
        if (faults.length > 0) throw new Refused(faults);
        return { tallies: await loadTenant(tx, rows) };
      });
    });
    return { tenantId, name, faults: [], tallies: loaded!.tallies };
  } catch (error) {
    // An unexpected error fails only this tenant: the report must cover those already stored, and the rest may succeed.
    const faults = error instanceof Refused ? error.faults : [`failed: ${(error as Error).message}`];
    return { tenantId, name, faults, tallies: null };
  }
}

/** Creates the tenant if it does not exist. Throws `Refused` if there is no such partner. */
async function createTenant(query: Query, tenant: Rows['tenants']): Promise<void> {
  const { id, partnerId } = tenant;
  if ((await insertTenant(query, tenant)) === null)
    throw new Refused([`tenant ${id}: no such partner ${partnerId}`]);
}

/** Updates the name and slug of the tenant. Throws `Refused` if it belongs to another partner. */
async function updateTenant(tx: WriteContext, tenant: Rows['tenants']): Promise<void> {
  const { id, partnerId } = tenant;
  const [stored] = await tx.query<TenantRow>(
    Prisma.sql`select ${tenantColumns} from tenants t where t.id = ${id}`,
  );
  if (stored?.partnerId !== partnerId) throw new Refused([`tenant ${id} belongs to another partner`]);
  await renameTenant(tx, tenant, stored);
}

async function upsertPartners(db: Database, partners: Rows['partners'][]): Promise<void> {
  if (partners.length === 0) return;
  await db.change(Prisma.sql`
    insert into partners (id, name)
    select * from unnest(${partners.map((partner) => partner.id)}::text[], ${partners.map((partner) => partner.name)}::text[])
    on conflict (id) do update set name = excluded.name`);
}

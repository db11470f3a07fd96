// Imports a directory: each tenant whole or not at all, and again without harm.

import { KEY_RULES } from '../database/case-keys.ts';
import { type Database, Prisma, type Query } from '../database/database.ts';
import type { Actor } from '../domain/log/events.ts';
import { withWriteContext } from '../domain/log/write-context.ts';
import { loadTenant, type Tallies } from './load-tenant.ts';
import type { Rows, Source } from './rows.ts';
import { type Spooled, spool } from './spool.ts';
import { verifyTenant } from './verify.ts';

export type TenantReport = { tenantId: string; name: string; faults: string[]; tallies: Tallies | null };
export type ImportReport = {
  tenants: TenantReport[];
  /** Faults of rows that belong to no tenant of the file; nothing of them is stored. */
  faults: string[];
  /** Keys of the file that are not of the format, and hold no rows; absent if there are none. */
  skipped?: string[];
};

export type ImportOptions = { onTenant?: (done: number, total: number) => void };

/** Never throws for what the rows hold, nor for what becomes of one tenant: the report says what was refused, and why. */
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
    const { strays, skipped } = spooled;
    return { tenants, faults: strays, ...(skipped.length > 0 && { skipped }) };
  } finally {
    await spooled.remove();
  }
}

/** The author of what is imported. */
const ACTOR: Actor = { id: 'import', type: 'service' };

/** Carries the reasons out of a transaction that must be rolled back. */
class Refused extends Error {
  readonly faults: string[];

  constructor(faults: string[]) {
    super(faults.join('; '));
    this.faults = faults;
  }
}

async function importTenant(db: Database, tenant: Rows['tenants'], spooled: Spooled): Promise<TenantReport> {
  const { id: tenantId, name } = tenant;
  const rowFaults = spooled.faults.get(tenantId) ?? [];
  if (rowFaults.length > 0) return { tenantId, name, faults: rowFaults, tallies: null };
  const rows = await spooled.read(tenantId);
  try {
    const tallies = await db.transaction(async (query) => {
      await createAndLockTenant(query, tenant);
      const faults = await verifyTenant(query, tenantId, rows);
      if (faults.length > 0) throw new Refused(faults);
      return withWriteContext({ query, tenantId, actor: ACTOR }, (tx) => loadTenant(tx, rows));
    });
    return { tenantId, name, faults: [], tallies };
  } catch (error) {
    // Any other failure is this tenant's alone too: what was stored before must be told, and what follows may hold.
    const faults = error instanceof Refused ? error.faults : [`failed: ${(error as Error).message}`];
    return { tenantId, name, faults, tallies: null };
  }
}

async function createAndLockTenant(
  query: Query,
  { id, partnerId, name, slug }: Rows['tenants'],
): Promise<void> {
  const [partner] = await query(Prisma.sql`select id from partners where id = ${partnerId}`);
  if (!partner) throw new Refused([`tenant ${id}: no such partner ${partnerId}`]);
  await query(Prisma.sql`
    insert into tenants (id, partner_id, name, slug, key_rules) values (${id}, ${partnerId}, ${name}, ${slug}, ${KEY_RULES}::int[])
    on conflict (id) do nothing`);
  const [stored] = await query<{ partnerId: string }>(Prisma.sql`
    select partner_id as "partnerId" from tenants where id = ${id} for no key update`);
  if (stored?.partnerId !== partnerId) throw new Refused([`tenant ${id} belongs to another partner`]);
  await query(Prisma.sql`
    update tenants set name = ${name}, slug = ${slug} where id = ${id} and (name, slug) is distinct from (${name}, ${slug})`);
}

async function upsertPartners(db: Database, partners: Rows['partners'][]): Promise<void> {
  if (partners.length === 0) return;
  await db.change(Prisma.sql`
    insert into partners (id, name)
    select * from unnest(${partners.map((partner) => partner.id)}::text[], ${partners.map((partner) => partner.name)}::text[])
    on conflict (id) do update set name = excluded.name`);
}

// Imports a directory: each tenant whole or not at all, and again without harm.
import { type Database, Prisma, type Query } from '../../database/database.ts';
import { openDirectory } from '../../domain/directory.ts';
import { loadTenant, type Tallies } from './load-tenant.ts';
import type { Rows, Source } from './rows.ts';
import { type Spooled, spool } from './spool.ts';
import { verifyTenant } from './verify.ts';

export type TenantReport = { tenantId: string; name: string; faults: string[]; tallies: Tallies | null };
export type ImportReport = {
  tenants: TenantReport[];
  /** Faults of rows that belong to no tenant of the file; nothing of them is stored. */
  faults: string[];
};

export type ImportOptions = { onTenant?: (done: number, total: number) => void };

/** Never throws for what the rows hold: the report says what was refused, and why. */
export async function importDirectory(
  db: Database,
  source: Source,
  { onTenant = () => {} }: ImportOptions = {},
): Promise<ImportReport> {
  const spooled = await spool(source);
  try {
    const known = new Set<string>(spooled.tenants.map((tenant) => tenant.id));
    const strays = [...spooled.faults]
      .filter(([tenantId]) => !known.has(tenantId))
      .flatMap(([, faults]) => faults);
    await upsertPartners(db.sql, spooled.partners);
    const tenants: TenantReport[] = [];
    for (const tenant of new Map(spooled.tenants.map((each) => [each.id, each])).values()) {
      tenants.push(await importTenant(db, tenant, spooled));
      onTenant(tenants.length, spooled.tenants.length);
    }
    return { tenants, faults: strays };
  } finally {
    await spooled.remove();
  }
}

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
  const directory = openDirectory(db, {
    role: 'SERVICE',
    subject: 'import',
    actors: [],
    sight: { kind: 'tenant', tenantId },
    mayChange: true,
  });
  try {
    const tallies = await db.transaction(async (sql) => {
      await lockTenant(sql, tenant);
      const faults = await verifyTenant(sql, tenantId, rows);
      if (faults.length > 0) throw new Refused(faults);
      return loadTenant(directory, sql, tenantId, rows);
    });
    return { tenantId, name, faults: [], tallies };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { tenantId, name, faults: error.faults, tallies: null };
  }
}

async function lockTenant(sql: Query, { id, partnerId, name, slug }: Rows['tenants']): Promise<void> {
  const [partner] = await sql(Prisma.sql`select id from partners where id = ${partnerId}`);
  if (!partner) throw new Refused([`tenant ${id}: no such partner ${partnerId}`]);
  await sql(Prisma.sql`
    insert into tenants (id, partner_id, name, slug) values (${id}, ${partnerId}, ${name}, ${slug})
    on conflict (id) do nothing`);
  const [stored] = await sql<{ partnerId: string }>(Prisma.sql`
    select partner_id as "partnerId" from tenants where id = ${id} for no key update`);
  if (stored?.partnerId !== partnerId) throw new Refused([`tenant ${id} belongs to another partner`]);
  await sql(Prisma.sql`
    update tenants set name = ${name}, slug = ${slug} where id = ${id} and (name, slug) is distinct from (${name}, ${slug})`);
}

async function upsertPartners(sql: Query, rows: Rows['partners'][]): Promise<void> {
  // Named twice, the last one counts.
  const partners = [...new Map(rows.map((partner) => [partner.id, partner])).values()];
  if (partners.length === 0) return;
  await sql(Prisma.sql`
    insert into partners (id, name)
    select * from unnest(${partners.map((partner) => partner.id)}::text[], ${partners.map((partner) => partner.name)}::text[])
    on conflict (id) do update set name = excluded.name`);
}

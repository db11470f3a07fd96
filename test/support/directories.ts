// Directories for tests: a tenant with users, and the callers that look at it.

import { KEY_RULES } from '../../src/database/case-keys.ts';
import { type Database, Prisma } from '../../src/database/database.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import type { Caller } from '../../src/model/caller.ts';
import { newId, type PartnerId, type TenantId, type UserId } from '../../src/model/ids.ts';

/** A fresh partner and tenant with so many users. */
export async function createTenant(db: Database, userCount = 0) {
  const tenantId = newId('tenant');
  const partnerId = newId('partner');
  const userIds = Array.from({ length: userCount }, () => newId('user'));
  await db.sql(Prisma.sql`insert into partners (id, name) values (${partnerId}, 'Partner')`);
  await db.sql(Prisma.sql`
    insert into tenants (id, partner_id, name, slug, key_rules)
    values (${tenantId}, ${partnerId}, 'Tenant', ${tenantId}, ${KEY_RULES}::int[])`);
  await db.sql(Prisma.sql`insert into tenant_logs (tenant_id) values (${tenantId}) on conflict do nothing`);
  await db.sql(Prisma.sql`
    insert into users (id, tenant_id, email, search_key, since)
    select id, ${tenantId}, lower(id) || '@example.org', lower(id) || '@example.org', 0 from unnest(${userIds}::text[]) id`);
  await db.sql(Prisma.sql`
    insert into ids (id, tenant_id) select id, ${tenantId} from unnest(${userIds}::text[]) id on conflict do nothing`);
  return { tenantId, partnerId, userIds };
}

/** The directory as an administrator of the tenant sees it. */
export function openAsAdmin(db: Database, tenantId: TenantId): Directory {
  return openDirectory(db, tenantAdmin(tenantId));
}

export const tenantAdmin = (tenantId: TenantId): Caller => ({
  role: 'TENANT_ADMIN',
  subject: 'usr_administrator',
  visibility: { kind: 'tenant', tenantId },
  mayChange: true,
});

export const plainUser = (tenantId: TenantId, userId: UserId): Caller => ({
  role: 'USER',
  subject: userId,
  tenantId,
  userId,
});

/** Sees and changes everything. */
export const superAdmin: Caller = {
  role: 'SUPER_ADMIN',
  subject: 'usr_root',
  visibility: { kind: 'all' },
  mayChange: true,
};

/** A service of the platform, which sees everything, and may change it or only read it. */
export const platform = (mayChange: boolean): Caller => ({
  role: 'PLATFORM',
  subject: 'sync',
  visibility: { kind: 'all' },
  mayChange,
});

export const partnerAdmin = (partnerId: PartnerId): Caller => ({
  role: 'PARTNER_ADMIN',
  subject: 'usr_partneradmin',
  visibility: { kind: 'partner', partnerId },
  mayChange: true,
});

/** A service of one tenant, which may change it or only read it. */
export const service = (tenantId: TenantId, mayChange: boolean): Caller => ({
  role: 'SERVICE',
  subject: 'client',
  visibility: { kind: 'tenant', tenantId },
  mayChange,
});

/** What is found with each id, in order. */
export const findAll = <Row>(
  find: (directory: Directory, id: string) => Promise<Row>,
  directory: Directory,
  ids: readonly string[],
): Promise<Row[]> => Promise.all(ids.map((id) => find(directory, id)));

// Rows of tenants and partners: their types and columns.
import { Prisma, type Sql } from '../../database/database.ts';
import type { PartnerId, TenantId } from '../../model/ids.ts';

export type TenantRow = { id: TenantId; partnerId: PartnerId; name: string; slug: string };
export type PartnerRow = { id: PartnerId; name: string };

/** Columns of a `TenantRow` under the alias `t`. */
export const tenantColumns: Sql = Prisma.sql`t.id, t.partner_id as "partnerId", t.name, t.slug`;

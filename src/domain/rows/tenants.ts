// Rows of tenants and partners.
import type { PartnerId, TenantId } from '../../model/ids.ts';

export type TenantRow = { id: TenantId; partnerId: PartnerId; name: string; slug: string };
export type PartnerRow = { id: PartnerId; name: string };

// Tenants: the inputs of the operations that create and rename them.
import { z } from 'zod';
import { partnerId, tenantId } from './ids.ts';
import { nameLine } from './text.ts';

/** A name or a slug. */
export const label = nameLine();

/** Input of createTenant. */
export const createTenantInput = z.object({ id: tenantId.nullish(), partnerId, name: label, slug: label });
export type CreateTenantInput = z.input<typeof createTenantInput>;

/** Input of updateTenant. What is omitted is left unchanged; null is refused. */
export const updateTenantInput = z.object({ id: tenantId, name: label.optional(), slug: label.optional() });
export type UpdateTenantInput = z.input<typeof updateTenantInput>;

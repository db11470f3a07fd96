// The table of ids, which tells the tenant of each user and group for good: none can be of two tenants.
import { Prisma } from '../../database/database.ts';
import type { WriteContext } from '../log/write-context.ts';

/** Gives the tenant those of the ids that no tenant has; returns the ids that another tenant has. */
export async function claimIds(
  { query, tenantId }: WriteContext,
  ids: readonly string[],
): Promise<Set<string>> {
  const sorted = [...new Set(ids)].sort();
  await query(Prisma.sql`
    insert into ids (id, tenant_id) select id, ${tenantId} from unnest(${sorted}::text[]) i(id) on conflict (id) do nothing`);
  const others = await query<{ id: string }>(Prisma.sql`
    select id from ids where id = any(${sorted}::text[]) and tenant_id <> ${tenantId}`);
  return new Set(others.map(({ id }) => id));
}

// Names of siblings: unique among the live groups with the same tenant and parent, ignoring case.
import { Prisma, type Query } from '../database/database.ts';
import { hasNameAt } from '../database/name-keys.ts';
import { refuse } from '../model/errors.ts';
import type { GroupId, TenantId } from '../model/ids.ts';
import { nameKey } from '../model/text.ts';

type Place = { tenantId: TenantId; parentGroupId: GroupId | null; name: string };

/** Refused with NAME_TAKEN if a live sibling has the name. Holds under the graph lock; a unique index backs it. */
export async function assertNameFree(sql: Query, { tenantId, parentGroupId, name }: Place): Promise<void> {
  const place = { tenantId, parentGroupId, key: nameKey(name) };
  const [taken] = await sql<{ name: string }>(Prisma.sql`
    select g.name from groups g where ${hasNameAt(Prisma.sql`g`, place)} order by g.name_key limit 1`);
  if (taken) throw refuse.nameTaken([taken.name]);
}

// Directories for the parity table: the same groups in a tenant of their own each time, with ids read as names.
import { type Database, Prisma } from '../../src/database/database.ts';
import { newId } from '../../src/model/ids.ts';
import { createTenant } from './directories.ts';
import type { Claims } from './server.ts';

/** A tenant with users `u0`…`u3`, and groups by name. */
export type World = { tenant: string; ids: Map<string, string>; callers: Record<string, Claims | null> };

/** Each group of a world: where it is filed, its members, the groups nested in it, and what is not as by default. */
const GROUPS: Record<string, [parent: string | null, members: string[], nested: string[], more?: object]> = {
  Top: [null, ['u0'], ['Left', 'Right'], { description: 'first', customAttributes: { a: [1] } }],
  Left: ['Top', ['u1'], ['Bottom']],
  Right: ['Top', ['u1', 'u2'], [], { type: 'DISTRIBUTION' }],
  Bottom: [null, ['u3'], []],
  RIGHT: ['Left', [], []],
  Empty: [null, [], []],
};

/** Written by SQL: a hundred cases, three times each, would take the operations half a minute to prepare. */
export async function createWorld(db: Database, hidden: string): Promise<World> {
  const { tenantId, userIds } = await createTenant(db, 4);
  const ids = new Map([['tenant', tenantId as string]]);
  for (const [at, id] of userIds.toSorted().entries()) ids.set(`u${at}`, id);
  for (const name of Object.keys(GROUPS)) ids.set(name, newId('group'));
  const id = (name: string) => ids.get(name)!;
  const rows = Object.entries(GROUPS).map(([name, [parent, , , more]]) => ({
    id: id(name),
    name,
    key: name.toLowerCase(),
    parent: parent && id(parent),
    ...more,
  }));
  const edges = (at: 1 | 2) =>
    JSON.stringify(
      Object.entries(GROUPS).flatMap(([name, group]) => group[at].map((end) => [id(name), id(end)])),
    );
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, parent_group_id, name, name_key, search_key, description, type, custom_attributes)
    select g.id, ${tenantId}, g.parent, g.name, g.key, concat_ws(E'\n', g.key, g.description), g.description,
      coalesce(g.type, 'SECURITY')::"GroupType", g."customAttributes"
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
      g(id text, name text, key text, parent text, description text, type text, "customAttributes" jsonb)`);
  await db.sql(Prisma.sql`
    insert into memberships (tenant_id, group_id, user_id, added_by)
    select ${tenantId}, e->>0, e->>1, 'usr_admin' from jsonb_array_elements(${edges(1)}::text::jsonb) e`);
  await db.sql(Prisma.sql`
    insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
    select ${tenantId}, e->>0, e->>1, 'usr_admin' from jsonb_array_elements(${edges(2)}::text::jsonb) e`);
  ids.set('Hidden', hidden);
  ids.set('nobody', 'usr_neverIssued00000');
  ids.set('nothing', 'grp_neverIssued00000');
  const callers = {
    admin: { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId },
    reader: { sub: 'client', tenant_id: tenantId, scope: 'groups:read' },
    writer: { sub: 'client', tenant_id: tenantId, scope: 'groups:write' },
    user: { sub: id('u2'), tenant_id: tenantId },
    stranger: { sub: 'usr_admin', role: 'tenant_admin', tenant_id: 'tnt_elsewhere0000000' },
    nobody: null,
  };
  return { tenant: tenantId, ids, callers };
}

/** The outcome with names for ids, and what a face refuses with reduced to what both can say. */
export function readable(world: World, outcome: unknown): unknown {
  let text = JSON.stringify(outcome);
  for (const [name, id] of world.ids) text = text.replaceAll(id, `<${name}>`);
  return JSON.parse(text.replaceAll(/grp_[A-Za-z0-9]{16}/g, '<new>'));
}

export const idOf = (world: World, name: unknown) => world.ids.get(name as string) ?? (name as string);
export const idsOf = (world: World, names: unknown) =>
  (names as string[] | undefined)?.map((name) => idOf(world, name));

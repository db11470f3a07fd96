// Tenants over GraphQL: created and renamed by those who see all of them, and searched by all who see some.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/model/ids.ts';
import { createTenant } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
});
afterAll(() => database.close());

const PLATFORM = { sub: 'sync', platform_token: true, scope: 'admin:write' };
const mutate = async (claims: Claims, name: 'createTenant' | 'updateTenant', input: object) => {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}`;
  const { body } = await server.ask(
    claims,
    `mutation ($input: ${type}Input!) { ${name}(input: $input) { __typename
      ... on ${type}Payload { position tenant { id name slug position partner { id } } }
      ... on NotFoundError { missingId } ... on ValidationError { fields { path message } } } }`,
    { input },
  );
  return (body.errors?.[0]?.extensions.code ?? body.data![name]) as never;
};

/** Who sees a tenant, but not all; and who sees all, but may not change them. */
const others = (tenantId: string, partnerId: string): Claims[] => [
  { sub: 'usr_partner', role: 'partner_admin', partner_id: partnerId },
  { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId },
  { sub: 'client', tenant_id: tenantId, scope: 'groups:write' },
  { sub: 'sync', platform_token: true, scope: 'admin:read' },
];

describe('a tenant', () => {
  test.each([SUPER_ADMIN, PLATFORM])('is created, used and renamed by %j', async (claims) => {
    const { partnerId } = await createTenant(database.db);
    const created: { tenant: { id: string } } = await mutate(claims, 'createTenant', {
      partnerId,
      name: 'Éclair',
      slug: 'eclair',
    });
    const { id } = created.tenant;
    expect(created).toEqual({
      __typename: 'CreateTenantPayload',
      position: '0',
      tenant: { id, name: 'Éclair', slug: 'eclair', position: '0', partner: { id: partnerId } },
    });
    const group = `mutation { createGroup(input: { tenantId: "${id}", name: "First" }) { ... on CreateGroupPayload { position } } }`;
    expect((await server.data(claims, group)).createGroup).toEqual({ position: '1' });
    expect(await mutate(claims, 'updateTenant', { id, name: 'Cake' })).toEqual({
      __typename: 'UpdateTenantPayload',
      position: '2',
      tenant: { id, name: 'Cake', slug: 'eclair', position: '2', partner: { id: partnerId } },
    });
    // What changes nothing takes no position.
    expect(await mutate(claims, 'updateTenant', { id, slug: 'eclair' })).toMatchObject({ position: '2' });
    const { tenant } = await server.data(
      claims,
      `{ tenant(id: "${id}") { changes { edges { node { __typename ... on TenantUpdated { before { name } after { name slug } } } } } } }`,
    );
    expect(tenant.changes.edges[1].node).toEqual({
      __typename: 'TenantUpdated',
      before: { name: 'Éclair' },
      after: { name: 'Cake', slug: 'eclair' },
    });
  });

  test('keeps the id that another system gave it, once', async () => {
    const { partnerId } = await createTenant(database.db);
    const id = newId('tenant');
    const input = { id, partnerId, name: 'Given', slug: 'given' };
    expect(await mutate(SUPER_ADMIN, 'createTenant', input)).toMatchObject({ tenant: { id } });
    expect(await mutate(SUPER_ADMIN, 'createTenant', { ...input, name: 'Again' })).toEqual({
      __typename: 'ValidationError',
      fields: [{ path: ['id'], message: 'is the id of another tenant' }],
    });
  });

  test('is refused to those who do not see all, or may not change them', async () => {
    const { tenantId, partnerId, userIds } = await createTenant(database.db, 1);
    for (const claims of others(tenantId, partnerId)) {
      expect(await mutate(claims, 'createTenant', { partnerId, name: 'New', slug: 'new' })).toBe('FORBIDDEN');
      expect(await mutate(claims, 'updateTenant', { id: tenantId, name: 'New' })).toBe('FORBIDDEN');
    }
    const stranger = await createTenant(database.db);
    for (const claims of [
      ...others(stranger.tenantId, stranger.partnerId).slice(0, 3),
      { sub: userIds[0]!, tenant_id: tenantId },
    ])
      expect(await mutate(claims, 'updateTenant', { id: tenantId, name: 'New' })).toEqual({
        __typename: 'NotFoundError',
        missingId: tenantId,
      });
    const missing = newId('partner');
    expect(
      await mutate(SUPER_ADMIN, 'createTenant', { partnerId: missing, name: 'New', slug: 'new' }),
    ).toEqual({
      __typename: 'NotFoundError',
      missingId: missing,
    });
    expect(await mutate(SUPER_ADMIN, 'updateTenant', { id: tenantId, name: ' ' })).toMatchObject({
      __typename: 'ValidationError',
    });
    expect(await mutate(SUPER_ADMIN, 'updateTenant', { id: tenantId, name: null })).toMatchObject({
      __typename: 'ValidationError',
    });
  });
});

test('tenants are found by words of name and slug, among those in sight', async () => {
  const { partnerId, tenantId } = await createTenant(database.db);
  const create = async (name: string, slug: string, partner: string = partnerId) => {
    const { tenant }: { tenant: { id: string } } = await mutate(SUPER_ADMIN, 'createTenant', {
      partnerId: partner,
      name,
      slug,
    });
    return tenant.id;
  };
  const [a, b] = [await create('Café Olé', 'north-x'), await create('Ole Tea', 'south-x')];
  const { partnerId: foreign } = await createTenant(database.db);
  const c = await create('Olé Olé', 'north-y', foreign);
  const find = async (claims: Claims, search: string) => {
    const { tenants } = await server.data(
      claims,
      'query ($search: String) { tenants(search: $search) { totalCount edges { node { id } } } }',
      { search },
    );
    expect(tenants.totalCount).toBe(tenants.edges.length);
    return tenants.edges.map(({ node }: { node: { id: string } }) => node.id);
  };
  expect(await find(SUPER_ADMIN, 'OLE north')).toEqual([a, c]);
  const partner = { sub: 'usr_partner', role: 'partner_admin', partner_id: partnerId };
  expect(await find(partner, 'ole')).toEqual([a, b]);
  expect(await find(partner, 'ole y')).toEqual([]);
  expect(await find({ sub: 'usr_admin', role: 'tenant_admin', tenant_id: a }, 'olé')).toEqual([a]);
  expect(await find({ sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId }, 'olé')).toEqual([]);
});

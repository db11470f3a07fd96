// Who sees what, generated from the schema: each place that takes an id is tried with ids of another tenant, under
// every kind of caller. Nothing leaks, nothing changes, and what is hidden answers like what was never issued.
import { type GraphQLField, isNonNullType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { schema } from '../../src/graphql/schema/schema.ts';
import { newId } from '../../src/model/ids.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { ID_INPUTS, type IdPlace, idPlaces, selectAll } from '../support/operations.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

/** Appears in every text of the other tenant, and must appear in no answer. */
const SECRET = 'Xyzzy';

type Place = { tenant: string; partner: string; group: string; child: string; user: string };
let database: TestDatabase;
let server: TestApp;
let own: Place;
let foreign: Place;

/** A tenant with two groups, filed and nested, and a member. */
async function populate(word: string): Promise<Place> {
  const { db } = database;
  const { tenantId, partnerId, userIds } = await createTenant(db, 3);
  await db.sql(Prisma.sql`update tenants set name = ${`${word} tenant`} where id = ${tenantId}`);
  await db.sql(Prisma.sql`update partners set name = ${`${word} partner`} where id = ${partnerId}`);
  await db.sql(
    Prisma.sql`update users set display_name = ${`${word} user`}, email = ${`${word}@example.org`} where tenant_id = ${tenantId}`,
  );
  const directory = openAsAdmin(db, tenantId);
  const { group } = await createGroup(directory, {
    tenantId,
    name: `${word} group`,
    description: `${word} text`,
    customAttributes: { word },
  });
  const { group: child } = await createGroup(directory, {
    tenantId,
    name: `${word} child`,
    parentGroupId: group.id,
  });
  await addNestedGroups(directory, { groupId: group.id, childGroupIds: [child.id] });
  await addGroupMembers(directory, { groupId: group.id, userIds: [userIds[0]!] });
  return { tenant: tenantId, partner: partnerId, group: group.id, child: child.id, user: userIds[0]! };
}

beforeAll(async () => {
  database = await openTestDatabase();
  own = await populate('Own');
  foreign = await populate(SECRET);
  server = await startApp(database.db, { LIMIT_TOKENS: '10000' });
});
afterAll(() => database.close());

/** Kinds of callers who see `own` and not `foreign`. */
const CALLERS: Record<string, () => Claims> = {
  partner_admin: () => ({ sub: 'usr_partneradmin', role: 'partner_admin', partner_id: own.partner }),
  tenant_admin: () => ({ sub: 'usr_tenantadmin', role: 'tenant_admin', tenant_id: own.tenant }),
  'service that reads': () => ({ sub: 'client', tenant_id: own.tenant, scope: 'groups:read' }),
  'service that writes': () => ({ sub: 'client', tenant_id: own.tenant, scope: 'groups:write' }),
  'end user': () => ({ sub: own.user, tenant_id: own.tenant }),
};

const queries = Object.values(schema.getQueryType()!.getFields()).filter(
  (field) => !field.name.startsWith('_'),
);
const mutations = Object.values(schema.getMutationType()!.getFields());
const KINDS = ['group', 'user', 'tenant', 'partner'] as const;
type Kind = (typeof KINDS)[number];
const kindsOf = (place: IdPlace): Kind[] =>
  place.kind === 'any' ? ['group', 'user', 'tenant'] : [place.kind];
const idOf = (where: Place, kind: Kind) => where[kind];

/** The arguments of a field with own ids wherever one must stand, and `id` at one place. */
function argumentsWith(
  field: GraphQLField<unknown, unknown>,
  place: IdPlace,
  id: string,
): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  const put = (path: string[], value: unknown) => {
    let at = input;
    for (const step of path.slice(0, -1)) {
      at[step] ??= LISTS.has(step) ? [{}] : {};
      at = (LISTS.has(step) ? (at[step] as object[])[0] : at[step]) as Record<string, unknown>;
    }
    at[path.at(-1)!] = value;
  };
  for (const other of idPlaces(
    field.name in schema.getMutationType()!.getFields() ? 'Mutation' : 'Query',
    field,
  )) {
    // A change has one input: that of the place.
    if (changeOf(other.path)?.kind !== changeOf(place.path)?.kind) continue;
    const needed = REQUIRED.has(other.path.at(-1)!) || other.path.length === 1;
    if (needed && other.kind !== 'any')
      put(other.path, other.list ? [idOf(own, other.kind)] : idOf(own, other.kind));
  }
  const { kind, path } = changeOf(place.path) ?? { kind: field.name, path: ['input'] };
  if (kind === 'createGroup') put([...path, 'name'], 'A new group');
  if (kind === 'createTenant')
    for (const [name, value] of Object.entries({ partnerId: own.partner, name: 'New', slug: 'new' }))
      put([...path, name], value);
  if (kind === 'upsertUsers') put([...path, 'users', 'email'], 'new@example.org');
  if (kind === 'addNestedGroups' && place.path.at(-1) === 'groupId')
    put([...path, 'childGroupIds'], [own.child]);
  if (field.name === 'applyChanges') put(['input', 'previewHash'], 'none');
  put(place.path, place.list ? [id] : id);
  return input;
}

const LISTS = new Set(['users', 'changes', 'checks']);

/** The kind of the change that a path leads through, and the path to its input; null for the input of one change alone. */
function changeOf(path: readonly string[]) {
  const at = path.indexOf('changes');
  return at === -1 ? null : { kind: path[at + 1]!, path: path.slice(0, at + 2) };
}

/** Inputs that an operation cannot do without. */
const REQUIRED = new Set(['id', 'groupId', 'childGroupId', 'childGroupIds', 'tenantId', 'userId', 'userIds']);

function operation(root: 'query' | 'mutation', field: GraphQLField<unknown, unknown>): string {
  const variables = field.args.filter((arg) => arg.name !== 'first' && arg.name !== 'last');
  const declared = variables.map((arg) => `$${arg.name}: ${arg.type}`).join(', ');
  const passed = variables.map((arg) => `${arg.name}: $${arg.name}`).join(', ');
  const selection = selectAll(field.type, 1, own.user);
  return `${root}${declared ? `(${declared})` : ''} { ${field.name}${passed ? `(${passed})` : ''} ${selection} }`;
}

/** The answer without what differs from call to call. */
async function answer(claims: Claims, text: string, variables: object, id: string): Promise<string> {
  const { status, body } = await server.ask(claims, text, variables);
  expect(
    body.errors?.some((error) => error.extensions.code === 'GRAPHQL_VALIDATION_FAILED'),
    JSON.stringify(body),
  ).not.toBe(true);
  return (
    JSON.stringify({ status, data: body.data, errors: body.errors })
      .replaceAll(id, '<id>')
      // That of a preview covers what was asked for.
      .replaceAll(/"hash":"[0-9a-f]{64}"/g, '"hash":"<hash>"')
  );
}

/** All rows of the other tenant. */
async function snapshot(): Promise<unknown> {
  const { tenant } = foreign;
  return database.db.sql(Prisma.sql`
    select (select json_agg(g order by id) from groups g where tenant_id = ${tenant}) as groups,
      (select json_agg(u order by id) from users u where tenant_id = ${tenant}) as users,
      (select json_agg(m order by user_id) from memberships m where tenant_id = ${tenant}) as memberships,
      (select json_agg(n order by child_group_id) from nestings n where tenant_id = ${tenant}) as nestings`);
}

describe.each(Object.keys(CALLERS))('%s', (caller) => {
  test.each(queries.map((field) => [field.name, field] as const))('query %s', async (_name, field) => {
    const claims = CALLERS[caller]!();
    for (const place of idPlaces('Query', field)) {
      for (const kind of kindsOf(place)) {
        const [hidden, never] = [idOf(foreign, kind), newId(kind)];
        const text = operation('query', field);
        const got = await answer(claims, text, argumentsWith(field, place, hidden), hidden);
        expect(got).not.toContain(SECRET);
        expect(got).toBe(await answer(claims, text, argumentsWith(field, place, never), never));
      }
    }
  });

  test.each(mutations.map((field) => [field.name, field] as const))('mutation %s', async (_name, field) => {
    const claims = CALLERS[caller]!();
    const before = await snapshot();
    for (const place of idPlaces('Mutation', field)) {
      for (const kind of kindsOf(place)) {
        const [hidden, never] = [idOf(foreign, kind), newId(kind)];
        const text = operation('mutation', field);
        const got = await answer(claims, text, argumentsWith(field, place, hidden), hidden);
        expect(got).not.toContain(SECRET);
        expect(got).toBe(await answer(claims, text, argumentsWith(field, place, never), never));
      }
    }
    expect(await snapshot()).toEqual(before);
  });

  test('edges from what is seen lead to nothing that is not', async () => {
    const claims = CALLERS[caller]!();
    for (const field of queries) {
      const places = idPlaces('Query', field);
      const [place] = places;
      const kinds: (Kind | null)[] =
        place && field.args.some((arg) => isNonNullType(arg.type)) ? kindsOf(place) : [null];
      for (const kind of kinds) {
        const variables = kind && place ? argumentsWith(field, place, idOf(own, kind)) : {};
        const { body } = await server.ask(claims, operation('query', field), variables);
        // What one may not do one may not preview.
        if (field.name !== 'previewChanges') expect(body.errors, JSON.stringify(body.errors)).toBeUndefined();
        const text = JSON.stringify(body);
        expect(text).not.toContain(SECRET);
        for (const id of Object.values(foreign)) expect(text).not.toContain(id);
      }
    }
  });

  test('_entities gives null for what is hidden, as for what was never issued', async () => {
    const representations = (['group', 'user', 'tenant'] as const).flatMap((kind) => {
      const __typename = kind[0]!.toUpperCase() + kind.slice(1);
      return [
        { __typename, id: idOf(foreign, kind) },
        { __typename, id: newId(kind) },
      ];
    });
    const { body } = await server.ask(
      CALLERS[caller]!(),
      'query ($representations: [_Any!]!) { _entities(representations: $representations) { __typename } }',
      { representations },
    );
    expect(body.data).toEqual({ _entities: representations.map(() => null) });
  });
});

test('those who see everything do see it: the tests above could fail', async () => {
  const platform = { sub: 'client', platform_token: true, scope: 'admin:read' };
  for (const claims of [SUPER_ADMIN, platform]) {
    const { group } = await server.data(
      claims,
      `{ group(id: "${foreign.group}") { name effectiveMembers { edges { node { email } } } } }`,
    );
    expect(JSON.stringify(group)).toContain(SECRET);
  }
  const { body } = await server.ask(
    platform,
    `mutation { deleteGroup(input: { id: "${foreign.group}" }) { __typename } }`,
  );
  expect(body.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
});

test('an end user sees id, name and type of its groups, and nothing else of them', async () => {
  const { group } = await server.data(
    CALLERS['end user']!(),
    `{ group(id: "${own.group}") ${selectAll(schema.getType('Group') as never, 0, own.user)} }`,
  );
  const { __typename, id, name, type, hasEffectiveMember, viewerCan, ...rest } = group;
  expect(new Set(Object.values(viewerCan ?? {}))).not.toContain(true);
  expect({ __typename, id, name, type, hasEffectiveMember }).toEqual({
    __typename: 'Group',
    id: own.group,
    name: 'Own group',
    type: 'SECURITY',
    hasEffectiveMember: true,
  });
  expect(new Set(Object.values(rest))).toEqual(new Set([null]));
});

test('an end user sees no more of its groups in a list of them', async () => {
  const node = `edges { node ${selectAll(schema.getType('Group') as never, 0, own.user)} }`;
  const { groups, user } = await server.data(
    CALLERS['end user']!(),
    `{ groups { ${node} } user(id: "${own.user}") { groups { ${node} } effectiveGroups { ${node} } } }`,
  );
  for (const { edges } of [groups, user.groups, user.effectiveGroups]) {
    expect(edges).toHaveLength(1);
    const { __typename, id, name, type, hasEffectiveMember, ...rest } = edges[0].node;
    expect(id).toBe(own.group);
    expect(new Set(Object.values(rest))).toEqual(new Set([null]));
  }
});

test('every kind of id that the schema takes is tried', () => {
  const tried = [
    ...queries.map((field) => ['Query', field] as const),
    ...mutations.map((field) => ['Mutation', field] as const),
  ];
  const places = tried.flatMap(([root, field]) => idPlaces(root, field));
  expect(places.length).toBeGreaterThan(20);
  expect(new Set(places.map((place) => place.kind))).toEqual(new Set(Object.values(ID_INPUTS)));
});

test('what can be subscribed to is tried with ids of another tenant in subscriptions.test.ts', () => {
  expect(Object.keys(schema.getSubscriptionType()!.getFields())).toEqual(['changes']);
});

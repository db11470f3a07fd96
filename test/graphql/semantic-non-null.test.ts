// `@semanticNonNull` in the schema for clients: what has it is never null without an error, but for an end user.
import { buildASTSchema, isNonNullType, isObjectType } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { strictClientDocument } from '../../src/graphql/schema/print.ts';
import { schema } from '../../src/graphql/schema/schema.ts';
import { SEMANTIC_NON_NULL } from '../../src/graphql/schema/semantic-non-null.ts';
import { selectAll } from '../support/operations.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { createRichDirectory } from '../support/rich-directory.ts';
import { type Claims, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db, { LIMIT_TOKENS: '20000', LIMIT_COST: '1000000' });
});
afterAll(() => database.close());

test('each is a nullable field of the API, and non-null in what types answers without errors', () => {
  const strict = buildASTSchema(strictClientDocument());
  for (const name of SEMANTIC_NON_NULL) {
    const [type, field] = name.split('.') as [string, string];
    const typeOf = (of: typeof schema) => {
      const object = of.getType(type);
      return isObjectType(object) ? object.getFields()[field]?.type : undefined;
    };
    expect([name, typeOf(schema) && isNonNullType(typeOf(schema)), isNonNullType(typeOf(strict))]).toEqual([
      name,
      false,
      true,
    ]);
  }
});

/** Each field of an answer by `Type.field`, and whether it is null. */
function* fieldsOf(value: unknown): Generator<[string, boolean]> {
  if (Array.isArray(value)) for (const item of value) yield* fieldsOf(item);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return;
  const { __typename, ...fields } = value as Record<string, unknown>;
  for (const [field, inner] of Object.entries(fields)) {
    if (__typename) yield [`${__typename}.${field}`, inner === null];
    yield* fieldsOf(inner);
  }
}

test('none is null for who administers the tenant', async () => {
  const { tenantId, groups, users } = await createRichDirectory(database.db);
  const [group, user] = [groups.team, users[2]];
  const admin: Claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
  const select = (type: string, depth: number) => selectAll(schema.getType(type) as never, depth, user);
  const data = await server.data(
    admin,
    `{ __typename
      groups ${select('GroupConnection', 0)} tenants ${select('TenantConnection', 0)}
      tenant(id: "${tenantId}") ${select('Tenant', 2)} group(id: "${group}") ${select('Group', 2)} user(id: "${user}") ${select('User', 2)}
      previewChanges(changes: [{ removeUsers: { tenantId: "${tenantId}", userIds: ["${user}"] } }]) ${select('ChangePreview', 2)} }`,
  );
  const met = new Map<string, boolean>();
  for (const [name, isNull] of fieldsOf(data)) met.set(name, isNull || (met.get(name) ?? false));
  // Of a membership that was lost some other test tells.
  const expected = [...SEMANTIC_NON_NULL].filter((name) => !/^(LostMembership|MembershipStep)\./.test(name));
  expect(expected.filter((name) => met.get(name) !== false)).toEqual([]);
});

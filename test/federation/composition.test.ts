// Our subgraph composes with its neighbours, by two composers that share no code, into the same API.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, isObjectType, parse } from 'graphql';
import { expect, test } from 'vitest';
import { COMPOSERS, type Composer } from './compose.ts';
import { ACCOUNTS, DOCUMENTS } from './subgraphs.ts';

const directory = readFileSync(join(import.meta.dirname, '../../schema.graphql'), 'utf8');
const SUBGRAPHS = [
  { name: 'directory', url: 'http://127.0.0.1:4000/graphql', sdl: directory },
  { name: 'accounts', url: 'http://127.0.0.1:4002/graphql', sdl: ACCOUNTS },
  { name: 'documents', url: 'http://127.0.0.1:4003/graphql', sdl: DOCUMENTS },
];

/** Each type with its fields, without what a router needs. */
function shapeOf(supergraph: string) {
  const schema = buildSchema(supergraph, { assumeValid: true });
  return Object.fromEntries(
    Object.values(schema.getTypeMap())
      .filter((type) => isObjectType(type) && !type.name.startsWith('__'))
      .map((type) => [type.name, Object.keys((type as never as { getFields(): object }).getFields()).sort()])
      .sort(),
  );
}

const composers = Object.keys(COMPOSERS) as Composer[];

test.each(composers)('%s composes the three, without a hint', (composer) => {
  const { supergraph, hints } = COMPOSERS[composer](SUBGRAPHS);
  expect(hints).toEqual([]);
  expect(shapeOf(supergraph).User).toEqual([
    'asOf',
    'displayName',
    'effectiveGroups',
    'email',
    'groups',
    'history',
    'id',
    'tenant',
    'timeZone',
  ]);
  expect(shapeOf(supergraph).Document).toContain('viewerMayRead');
  expect(supergraph).toContain('@join__graph(name: "directory"');
});

test("what docs/clients.md has a neighbour require is what the neighbour's tests require", () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/clients.md'), 'utf8');
  const [, shape] = /```graphql\n(type Group[\s\S]*?)```/.exec(page)!;
  const collapse = (sdl: string) => sdl.replace(/\s+/g, ' ').trim();
  expect(collapse(DOCUMENTS)).toContain(collapse(shape!));
});

test('both compose the same API', () => {
  const [one, other] = composers.map((composer) => shapeOf(COMPOSERS[composer](SUBGRAPHS).supergraph));
  expect(one).toEqual(other);
});

test.each(composers)('%s refuses a subgraph that takes a field which is not shared', (composer) => {
  const taking = ACCOUNTS.replace('timeZone: String!', 'timeZone: String! groups: String');
  const subgraphs = SUBGRAPHS.map((each) => (each.name === 'accounts' ? { ...each, sdl: taking } : each));
  expect(() => COMPOSERS[composer](subgraphs)).toThrow(/User\.groups/);
});

test('what only the directory knows is not shareable; what an owner elsewhere knows is', () => {
  const shareable = parse(directory).definitions.flatMap((definition) =>
    definition.kind !== 'ObjectTypeDefinition'
      ? []
      : (definition.fields ?? [])
          .filter((field) => field.directives?.some(({ name }) => name.value === 'shareable'))
          .map((field) => `${definition.name.value}.${field.name.value}`),
  );
  expect(shareable).toEqual(['Tenant.name', 'User.displayName', 'User.email']);
});

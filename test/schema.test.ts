// Holds schema.graphql to the code, and every part of the schema to having a description.
import { readFile } from 'node:fs/promises';
import {
  type GraphQLNamedType,
  graphqlSync,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  parse,
  print,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { printPossibleTypes, printSchema } from '../src/graphql/schema/print.ts';
import { schema } from '../src/graphql/schema/schema.ts';

test('schema.graphql is what the code defines', async () => {
  const committed = await readFile(new URL('../schema.graphql', import.meta.url), 'utf8').catch(() => '');
  expect(committed === printSchema(), 'schema.graphql is out of date: run `npm run schema`').toBe(true);
});

/** Each definition of the SDL with its directives. */
function directivesOf(sdl: string) {
  const { definitions } = parse(sdl, { noLocation: true });
  return definitions.map((each) => {
    const directives = 'directives' in each ? (each.directives ?? []) : [];
    return [each.kind, 'name' in each ? each.name?.value : undefined, directives.map(print)] as const;
  });
}

test('a router is told what is committed', () => {
  const { data } = graphqlSync({ schema, source: '{ _service { sdl } }' });
  const { sdl } = (data as { _service: { sdl: string } })._service;
  expect(directivesOf(sdl)).toEqual(directivesOf(printSchema()));
});

test('the entities are the nodes, and nothing else has a key', () => {
  const keyed = directivesOf(printSchema()).flatMap(([, name, directives]) =>
    directives.includes('@key(fields: "id")') ? name : [],
  );
  const namesOf = (type: string) => schema.getPossibleTypes(schema.getType(type) as never).map(String);
  expect(keyed).toEqual(['Group', 'Tenant', 'User']);
  expect(namesOf('_Entity')).toEqual(keyed);
  // A member is of one group: no other subgraph knows its id.
  expect(namesOf('Node').toSorted()).toEqual([...keyed, 'Member'].toSorted());
});

test('ids of nodes and nodes of edges are properties of rows, read without a resolver', () => {
  const resolved = Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) &&
    (type.name.endsWith('Edge') || type.getInterfaces().some(({ name }) => name === 'Node'))
      ? ['id', 'node', 'cursor']
          .filter((name) => type.getFields()[name]?.resolve)
          .map((name) => `${type}.${name}`)
      : [],
  );
  // That of a member is made of two.
  expect(resolved).toEqual(['Member.id']);
});

test('possible types are those of every interface and union that clients see', () => {
  const possibleTypes = JSON.parse(printPossibleTypes()) as Record<string, string[]>;
  const abstract = Object.values(schema.getTypeMap()).filter(isAbstractType);
  expect(Object.keys(possibleTypes).sort()).toEqual(
    abstract
      .map(({ name }) => name)
      .filter((name) => name !== '_Entity')
      .sort(),
  );
  expect(possibleTypes.Node).toEqual(['Group', 'Member', 'Tenant', 'User']);
  expect(possibleTypes.RemoveNestedGroupResult).toEqual([
    'NotFoundError',
    'RemoveNestedGroupPayload',
    'ValidationError',
  ]);
});

type Described = { readonly description?: string | null | undefined };

/** Each part of a type with its coordinate, as in `Query.group(id:)`. */
function partsOf(type: GraphQLNamedType): [string, Described][] {
  const parts: [string, Described][] = [[type.name, type]];
  if (isObjectType(type) || isInterfaceType(type)) {
    for (const field of Object.values(type.getFields())) {
      parts.push([`${type.name}.${field.name}`, field]);
      for (const arg of field.args) parts.push([`${type.name}.${field.name}(${arg.name}:)`, arg]);
    }
  } else if (isInputObjectType(type)) {
    for (const field of Object.values(type.getFields())) parts.push([`${type.name}.${field.name}`, field]);
  } else if (isEnumType(type)) {
    for (const value of type.getValues()) parts.push([`${type.name}.${value.name}`, value]);
  }
  return parts;
}

const ownTypes = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);

test('every type, field, argument and enum value has a description', () => {
  const undescribed = ownTypes
    .flatMap(partsOf)
    .filter(([, { description }]) => !description?.trim())
    .map(([coordinate]) => coordinate);
  expect(undescribed).toEqual([]);
});

test('a field called id is that of a node, or of a partner: in a cache, one id is one object', () => {
  const identified = ownTypes.filter((type) => isObjectType(type) && 'id' in type.getFields());
  const nodes = schema.getPossibleTypes(schema.getType('Node') as never);
  expect(identified.map(({ name }) => name).sort()).toEqual(
    [...nodes.map(({ name }) => name), 'Partner'].sort(),
  );
});

describe('mutations', () => {
  const mutations = Object.values(schema.getMutationType()!.getFields());

  test.each(mutations.map((field) => [field.name, field] as const))(
    '%s takes one input, gives a union',
    (name, field) => {
      const title = `${name[0]!.toUpperCase()}${name.slice(1)}`;
      expect(field.args.map((arg) => `${arg.name}: ${arg.type}`)).toEqual([`input: ${title}Input!`]);
      expect(String(field.type)).toBe(`${title}Result`);
      const members = schema.getPossibleTypes(schema.getType(`${title}Result`) as never);
      const others = members.filter((type) => type.name !== `${title}Payload`);
      expect(others.length).toBe(members.length - 1);
      expect(others.filter((type) => !type.getInterfaces().some((each) => each.name === 'Error'))).toEqual(
        [],
      );
    },
  );
});

// What GraphiQL starts from: an operation a tab, each mutation with variables, which the demo directory answers at once.
import { type FieldNode, Kind, type OperationDefinitionNode, parse } from 'graphql';
import { expect, test } from 'vitest';
import { seedDemo } from '../../src/demo/demo.ts';
import { schema } from '../../src/graphql/schema/schema.ts';
import { EXAMPLES } from '../../src/graphql/server/examples.ts';
import { openTestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp } from '../support/server.ts';

const operations = EXAMPLES.map(({ query }) => {
  const { definitions } = parse(query);
  expect(definitions.length).toBe(1);
  return definitions[0] as OperationDefinitionNode;
});
const rootFields = ({ selectionSet }: OperationDefinitionNode) =>
  selectionSet.selections.map((field) => (field as FieldNode).name.value);

test('each mutation has its own, named after it, and no two have one name', () => {
  const named = operations
    .filter(({ operation }) => operation === 'mutation')
    .map((operation) => [operation.name!.value.toLowerCase(), rootFields(operation).at(-1)] as const);
  expect(named.map(([, field]) => field).sort()).toEqual(
    Object.keys(schema.getMutationType()!.getFields()).sort(),
  );
  for (const [name, field] of named) expect(name).toBe(field!.toLowerCase());
  expect(new Set(operations.map(({ name }) => name!.value)).size).toBe(EXAMPLES.length);
});

test('the variables are those that the operation takes', () => {
  for (const [at, { variables = {} }] of EXAMPLES.entries()) {
    const { kind, variableDefinitions = [] } = operations[at]!;
    expect(kind).toBe(Kind.OPERATION_DEFINITION);
    expect(Object.keys(variables)).toEqual(variableDefinitions.map(({ variable }) => variable.name.value));
  }
});

// In a window of 1,400 by 900 pixels the editor shows 57 columns and 26 lines, below two rows of tabs.
test('each is shown whole in the editor of a window of 1,280 by 800', () => {
  for (const { query } of EXAMPLES) {
    const lines = query.split('\n');
    expect(Math.max(...lines.map(({ length }) => length)), query).toBeLessThanOrEqual(50);
    expect(lines.length, query).toBeLessThanOrEqual(21);
  }
});

test.each([
  ['as they stand', EXAMPLES, ['NotFoundError']],
  ['from the last to the first', EXAMPLES.toReversed(), []],
])('each answers with its payload, %s, and again with a typed result', async (_order, examples, refused) => {
  const database = await openTestDatabase();
  try {
    await seedDemo(database.db);
    const server = await startApp(database.db);
    const outcomes = async () => {
      const typeNames: string[] = [];
      for (const { query, variables } of examples) {
        // A stream has no end; what it answers is tested in subscriptions.test.ts.
        if (query.includes('\nsubscription ')) continue;
        const { body } = await server.ask(SUPER_ADMIN, query, variables);
        expect(body.errors, query).toBeUndefined();
        for (const result of Object.values(body.data as Record<string, { __typename?: string }>))
          if (result.__typename) typeNames.push(result.__typename);
      }
      return typeNames;
    };
    // Restoring deletes first: where deleting has been run already, that alone is refused.
    expect((await outcomes()).filter((name) => !name.endsWith('Payload'))).toEqual(refused);
    expect((await outcomes()).filter((name) => !/(Payload|Error)$/.test(name))).toEqual([]);
  } finally {
    await database.close();
  }
});

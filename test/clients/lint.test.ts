// The schema keeps Relay's conventions, by the rules of graphql-eslint.
import graphqlEslint from '@graphql-eslint/eslint-plugin';
import { ESLint, type Linter } from 'eslint';
import { isObjectType } from 'graphql';
import { expect, test } from 'vitest';
import { printClientSchema } from '../../src/graphql/schema/print.ts';
import { schema } from '../../src/graphql/schema/schema.ts';

/** All of graphql-eslint's rules for Relay schemas, but for two options that ask for more than the specification does. */
const RULES: Linter.RulesRecord = {
  ...(graphqlEslint.configs['flat/schema-relay'].rules as Linter.RulesRecord),
  // A member is a user's place in a group, without an id of its own: the user is the node. The others are held below.
  // Lists that are bounded, of ids, breaches, ancestors or a payload's groups, are plain lists.
  '@graphql-eslint/relay-edge-types': [
    'error',
    { shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
  ],
};

async function faultsOf(sdl: string): Promise<string[]> {
  const eslint = new ESLint({
    overrideConfigFile: true,
    overrideConfig: [
      {
        files: ['**/*.graphql'],
        plugins: { '@graphql-eslint': graphqlEslint as never },
        languageOptions: {
          parser: graphqlEslint.parser as never,
          parserOptions: { graphQLConfig: { schema: sdl } },
        },
        rules: RULES,
      },
    ],
  });
  const [result] = await eslint.lintText(sdl, { filePath: 'schema.graphql' });
  return result!.messages.map(({ ruleId, message }) => `${ruleId}: ${message}`);
}

test('the rules are there', () => {
  expect(Object.keys(RULES).sort()).toEqual(
    ['relay-arguments', 'relay-connection-types', 'relay-edge-types', 'relay-page-info'].map(
      (rule) => `@graphql-eslint/${rule}`,
    ),
  );
});

test('the schema breaks none of them', async () => {
  expect(await faultsOf(printClientSchema())).toEqual([]);
});

test.each([
  ['relay-connection-types', 'pageInfo: PageInfo!', 'pageInfo: PageInfo'],
  ['relay-edge-types', 'cursor: String!', 'cursor: [String!]'],
  ['relay-page-info', 'hasNextPage: Boolean!', 'hasNextPage: Boolean'],
  ['relay-arguments', 'first: Int\n', 'first: String\n'],
])('%s finds what breaks it', async (rule, text, instead) => {
  expect(await faultsOf(printClientSchema().replaceAll(text, instead))).toContainEqual(
    expect.stringContaining(rule),
  );
});

test('the node of every edge is a Node, but for members, changes, and what was or would be', () => {
  const edges = Object.values(schema.getTypeMap()).filter(
    (type) => isObjectType(type) && type.name.endsWith('Edge'),
  );
  const others = edges.filter((type) => {
    const node = schema.getType(
      String((type as never as { getFields(): { node: { type: unknown } } }).getFields().node.type).replace(
        '!',
        '',
      ),
    );
    return !isObjectType(node) || !node.getInterfaces().some(({ name }) => name === 'Node');
  });
  expect(others.map(({ name }) => name)).toEqual([
    'AffectedGroupEdge',
    'ChangeEdge',
    'DeletedGroupEdge',
    'GroupSnapshotEdge',
    'MemberSnapshotEdge',
    'UserSnapshotEdge',
  ]);
});

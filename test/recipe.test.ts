// Follows the README's recipe for a new field in a copy of the repository, and reads the field by every way to a group.

import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  getNamedType,
  isObjectType,
  type OperationDefinitionNode,
  parse,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../src/database/client.ts';
import { schema } from '../src/graphql/schema/schema.ts';
import { compilableFieldCount } from '../src/graphql/server/compiled-query.ts';
import { createDatabase } from './support/postgresql.ts';
import { type RunningServer, runCommand, runScript, startServer } from './support/process.ts';

const ROOT = join(import.meta.dirname, '..');
/** What no checkout has; node_modules are linked. */
const NOT_COPIED = /^(node_modules|\.git|\.data|coverage|\.reports|\.page-.*)$/;

type Block = { language: string; text: string };

/** The code of the README's section on a field, without the indentation of its list. */
async function recipe(): Promise<Block[]> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const [, section] = /\n## To add a field\n([\s\S]*?)\n## /.exec(readme)!;
  return [...section!.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)].map(([, indent, language, text]) => ({
    language: language!,
    text: text!.replace(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

type Edit = { file: string; before: string; after: string };

/** The hunks of a diff without line numbers: a file's context must be found in it once. */
function editsOf(diff: string): Edit[] {
  return diff
    .split(/^--- /m)
    .slice(1)
    .flatMap((part) => {
      const [file, ...lines] = part.trimEnd().split('\n');
      const side = (hunk: string, sign: string) =>
        hunk
          .split('\n')
          .filter((line) => line.startsWith(' ') || line.startsWith(sign))
          .map((line) => `${line.slice(1)}\n`)
          .join('');
      return lines
        .join('\n')
        .split('\n@@\n')
        .map((hunk) => ({ file: file!, before: side(hunk, '-'), after: side(hunk, '+') }));
    });
}

async function apply({ file, before, after }: Edit): Promise<void> {
  const path = join(copy, file);
  const text = await readFile(path, 'utf8');
  expect(text.split(before).length - 1, `${file} has once:\n${before}`).toBe(1);
  await writeFile(
    path,
    text.replace(before, () => after),
  );
}

let copy: string;
let database: Awaited<ReturnType<typeof createDatabase>>;
let client: pg.Client;
let server: RunningServer;
let admin: string;
let endUser: string;

const TENANT = 'tnt_Northwind0000000';
const USER = 'usr_north00020000000';
const SUPPORT = 'grp_north010Support0';

async function done(command: string, ...more: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(command, more, {}, copy);
  expect(code, `${command} ${more.join(' ')}\n${stdout}\n${stderr}`).toBe(0);
  return stdout;
}

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), 'coterie-recipe-'));
  await cp(ROOT, copy, { recursive: true, filter: (source) => !NOT_COPIED.test(basename(source)) });
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const blocks = await recipe();
  expect(blocks.map(({ language }) => language)).toEqual(['diff', 'sh']);
  for (const edit of editsOf(blocks[0]!.text)) await apply(edit);
  await done('sh -e -c', blocks[1]!.text);
  database = await createDatabase();
  const variables = { DATABASE_URL: database.url, DATA_DIR: join(copy, '.data') };
  server = await startServer(variables, copy);
  const token = async (...args: string[]) =>
    (await runScript('token', args, { DATA_DIR: variables.DATA_DIR })).stdout.trim();
  admin = await token('--role', 'super_admin');
  endUser = await token('--role', 'user', '--sub', USER, '--tenant', TENANT);
  client = new Client(database.url);
  await client.connect();
  // No mutation sets the column: groups that are created have its default.
  await client.query(`alter table groups alter column cost_centre set default 'CC-new'`);
  await client.query(`update groups set cost_centre = 'CC-' || id`);
}, 300_000);
afterAll(async () => {
  await client?.end();
  await server?.stop();
  await database?.drop();
  await rm(copy, { recursive: true });
});

/** What the column holds now, by group. */
async function stored(): Promise<Map<string, string>> {
  const { rows } = await client.query<{ id: string; costCentre: string }>(
    'select id, cost_centre as "costCentre" from groups',
  );
  return new Map(rows.map(({ id, costCentre }) => [id, costCentre]));
}

type Sending = { token?: string; method?: 'POST' | 'GET' };

async function ask(query: string, { token = admin, method = 'POST' }: Sending = {}) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response =
    method === 'GET'
      ? await fetch(`${server.url}/graphql?${new URLSearchParams({ query })}`, { headers })
      : await fetch(`${server.url}/graphql`, { method, headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  expect(errors, query).toBeUndefined();
  return data;
}

type Found = { id: string; costCentre: string | null };

/** Every group in an answer, in which nothing is null and no list is empty. */
function groupsIn(answer: unknown): Found[] {
  expect(answer).not.toBeNull();
  if (typeof answer !== 'object') return [];
  if (Array.isArray(answer)) expect(answer).not.toEqual([]);
  if ('costCentre' in answer! && answer.costCentre === null) return [answer as Found];
  const below = Object.values(answer!).flatMap(groupsIn);
  return 'costCentre' in answer! ? [answer as Found, ...below] : below;
}

const GROUP = 'id costCentre';
const PAGE = `(first: 3) { edges { node { ${GROUP} } } }`;

const READS = `{
  group(id: "${SUPPORT}") { ${GROUP} asOf(position: "1") { id: groupId costCentre } parent { ${GROUP} } ancestors { ${GROUP} } parentGroups${PAGE} }
  below: group(id: "${SUPPORT}") { parent { children${PAGE} nestedGroups${PAGE} } }
  groups${PAGE}
  node(id: "${SUPPORT}") { ... on Group { ${GROUP} } }
  nodes(ids: ["${SUPPORT}"]) { ... on Group { ${GROUP} } }
  member: node(id: "grp_north021Oncall00.usr_north00180000000") { ... on Member { inheritedThrough { ${GROUP} } } }
  _entities(representations: [{ __typename: "Group", id: "${SUPPORT}" }]) { ... on Group { ${GROUP} } }
  tenant(id: "${TENANT}") { groups${PAGE} changes(types: [GROUP_CREATED], first: 3) {
    edges { node { ... on GroupChange { group { ${GROUP} } } } }
  } }
  previewChanges(changes: [{ updateGroup: { id: "${SUPPORT}", description: "Recipe" } }]) {
    effects { outcomes { updatedGroups { group { group { ${GROUP} } } } } } }
  user(id: "${USER}") { groups${PAGE} effectiveGroups(first: 3) { edges { node { ${GROUP}
    explainMembership(userId: "${USER}", maxPaths: 1) { paths { steps { group { ${GROUP} } } } } } } } }
}`;

const MUTATIONS = {
  createGroup: `group { ${GROUP} }`,
  updateGroup: `group { ${GROUP} } previousParent { ${GROUP} }`,
  addGroupMembers: `group { ${GROUP} }`,
  updateGroupMembers: `group { ${GROUP} }`,
  setGroupMembers: `group { ${GROUP} }`,
  removeGroupMembers: `group { ${GROUP} }`,
  addNestedGroups: `group { ${GROUP} } childGroups { ${GROUP} }`,
  removeNestedGroup: `group { ${GROUP} } childGroup { ${GROUP} }`,
  deleteGroup: `movedGroups { ${GROUP} } parent { ${GROUP} }`,
  restoreGroup: `group { ${GROUP} }`,
};
type Mutation = keyof typeof MUTATIONS;
const mutation = (name: Mutation, input: string) => {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Payload`;
  return `mutation { ${name}(input: ${input}) { ... on ${type} { ${MUTATIONS[name]} } ... on Error { message } } }`;
};

test('the documents take every way of the schema to a group', () => {
  const leadsToGroup = (type: { toString(): string }) =>
    ['Group', 'GroupConnection', 'Node', '_Entity'].includes(String(type));
  const ways = Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type)
      ? Object.values(type.getFields()).flatMap((field) => {
          // A field of an interface is taken by way of the interface.
          const owner = type.getInterfaces().find((one) => field.name in one.getFields()) ?? type;
          return leadsToGroup(getNamedType(field.type)) ? [`${owner.name}.${field.name}`] : [];
        })
      : [],
  );
  const taken = new Set<string>();
  for (const text of [READS, ...Object.keys(MUTATIONS).map((name) => mutation(name as Mutation, '{}'))]) {
    const types = new TypeInfo(schema);
    const note = {
      Field: () => void taken.add(`${types.getParentType()?.name}.${types.getFieldDef()?.name}`),
    };
    visit(parse(text), visitWithTypeInfo(types, note));
  }
  expect(ways.length).toBeGreaterThan(20);
  // Nothing is deleted yet, and a deleted group leads to its parent as any field does.
  const others = ['GroupEdge.node', 'DeletedGroup.parent'];
  expect(ways.filter((way) => !taken.has(way) && !others.includes(way))).toEqual([]);
});

test('the copy compiles, and its schema.graphql has the field', async () => {
  await writeFile(
    join(copy, 'tsconfig.src.json'),
    JSON.stringify({ extends: './tsconfig.json', include: ['src'] }),
  );
  await done('tsc --noEmit -p tsconfig.src.json');
  expect(await readFile(join(copy, 'schema.graphql'), 'utf8')).toContain('  costCentre: String\n');
});

test('a read by every way answers what is stored, compiled or not, and by GET', async () => {
  const answers = [];
  // A query is compiled once it has been sent a few times.
  const document = parse(READS);
  expect(compilableFieldCount(document, document.definitions[0] as OperationDefinitionNode)).not.toBeNull();
  for (let times = 0; times < 8; times += 1) answers.push(await ask(READS));
  answers.push(await ask(READS, { method: 'GET' }));
  const columns = await stored();
  for (const answer of answers) {
    const groups = groupsIn(answer);
    expect(groups.length).toBeGreaterThan(15);
    for (const { id, costCentre } of groups) expect(costCentre).toBe(columns.get(id));
    expect(answer).toEqual(answers[0]);
  }
});

test('every payload answers what is stored', async () => {
  const change = async (name: Mutation, input: string): Promise<Found[]> => {
    const groups = groupsIn((await ask(mutation(name, input)))[name]);
    expect(groups.length, name).toBeGreaterThan(0);
    const columns = await stored();
    for (const { id, costCentre } of groups) expect([name, costCentre]).toEqual([name, columns.get(id)]);
    return groups;
  };
  const create = async (name: string, parent: string) => {
    const input = `{ tenantId: "${TENANT}", name: "${name}", parentGroupId: "${parent}" }`;
    const [group] = await change('createGroup', input);
    return group!.id;
  };
  const one = await create('Recipe one', SUPPORT);
  const two = await create('Recipe two', one);
  await create('Recipe three', one);
  await change('updateGroup', `{ id: "${two}", parentGroupId: "${SUPPORT}" }`);
  await change('addGroupMembers', `{ groupId: "${SUPPORT}", userIds: ["${USER}"] }`);
  await change('updateGroupMembers', `{ groupId: "${one}", usersToAdd: ["${USER}"], usersToRemove: [] }`);
  await change('setGroupMembers', `{ groupId: "${one}", userIds: [] }`);
  await change('removeGroupMembers', `{ groupId: "${SUPPORT}", userIds: ["${USER}"] }`);
  await change('addNestedGroups', `{ groupId: "${one}", childGroupIds: ["${two}"] }`);
  await change('removeNestedGroup', `{ groupId: "${one}", childGroupId: "${two}" }`);
  const left = await change('deleteGroup', `{ id: "${one}", strategy: ORPHAN }`);
  expect(left.length).toBe(2);
  await change('restoreGroup', `{ id: "${one}" }`);
});

test('an end user is not shown the field before somebody decides so', async () => {
  const groups = groupsIn(await ask(`{ groups${PAGE} }`, { token: endUser }));
  expect(groups.map(({ costCentre }) => costCentre)).toEqual([null, null, null]);
});

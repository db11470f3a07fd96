// A Relay app: its compiler takes our schema, and its runtime pages, refetches and changes against a listening server.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import relay from 'relay-runtime';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { printClientSchema } from '../../src/graphql/schema/print.ts';
import { schema } from '../../src/graphql/schema/schema.ts';
import { type Listening, startListening, type Tenant } from './listening.ts';

const COMPILER = createRequire(import.meta.url).resolve('relay-compiler/cli.js');

// biome-ignore lint/suspicious/noExplicitAny: artifacts and what they read are typed for an app that is compiled with them.
type Untyped = any;

let app: string;
let compiled: string;
let listening: Listening;
let tenant: Tenant;
let environment: relay.Environment;

beforeAll(async () => {
  listening = await startListening();
  app = await mkdtemp(join(tmpdir(), 'coterie-relay-'));
  await cp(join(import.meta.dirname, 'relay'), app, { recursive: true });
  await mkdir(join(app, '__generated__'));
  await writeFile(join(app, 'schema.graphql'), printClientSchema());
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [COMPILER], { cwd: app });
  compiled = stdout + stderr;
});
beforeEach(async () => {
  tenant = await listening.newTenant();
  environment = new relay.Environment({
    store: new relay.Store(new relay.RecordSource()),
    network: relay.Network.create(async ({ text }, variables) => {
      const response = await fetch(listening.url, {
        method: 'POST',
        headers: { ...tenant.headers, 'content-type': 'application/json' },
        body: JSON.stringify({ query: text, variables }),
      });
      return (await response.json()) as relay.GraphQLResponse;
    }),
  });
});
afterAll(async () => {
  await listening.stop();
  await rm(app, { recursive: true });
});

const artifact = async (name: string): Promise<Untyped> =>
  (await import(/* @vite-ignore */ join(app, `__generated__/${name}.graphql.ts`))).default;

/** Fetches, and gives what the store then holds for the query. */
async function load(name: string, variables: object): Promise<Untyped> {
  return relay.fetchQuery(environment, await artifact(name), variables as never).toPromise();
}

/** What a component with this fragment is given. */
async function read(name: string, reference: unknown): Promise<Untyped> {
  const selector = relay.getSingularSelector(await artifact(name), reference);
  return environment.lookup(selector as relay.SingularReaderSelector).data;
}

async function mutate(name: string, variables: object, more: object = {}): Promise<Untyped> {
  const mutation = await artifact(name);
  return new Promise((resolve, reject) => {
    relay.commitMutation(environment, {
      mutation,
      variables,
      ...more,
      onCompleted: (response: unknown) => resolve(response),
      onError: reject,
    } as never);
  });
}

const names = ({ edges }: Untyped): string[] => edges.map(({ node }: Untyped) => node.name);

test('relay-compiler compiles it, and every connection of the schema is in it', async () => {
  expect(compiled).toContain('Compilation completed');
  const used = new Set<string>();
  for (const file of await readdir(join(app, '__generated__'))) {
    const { params } = await artifact(file.replace('.graphql.ts', ''));
    if (!params) continue;
    const info = new TypeInfo(schema);
    const noteField = () => {
      used.add(`${info.getParentType()}.${info.getFieldDef()?.name}`);
    };
    visit(parse(params.text), visitWithTypeInfo(info, { Field: noteField }));
  }
  const connections = Object.values(schema.getTypeMap()).flatMap((type) =>
    // Snapshots are no nodes: no screen keeps them in a store.
    'getFields' in type && !type.name.endsWith('Snapshot')
      ? Object.values(type.getFields())
          .filter((field) => /Connection!?$/.test(String(field.type)))
          .map((field) => `${type.name}.${field.name}`)
      : [],
  );
  expect(connections.length).toBe(16);
  expect(connections.filter((connection) => !used.has(connection))).toEqual([]);
});

test('what only an end user is not shown is not null in generated types', async () => {
  const types = await readFile(join(app, '__generated__/groupHeader.graphql.ts'), 'utf8');
  expect(types).toContain('readonly version: number;');
  expect(types).toContain('readonly updatedAt: string;');
  expect(types).toContain('readonly description: string | null | undefined;');
});

test('pages forward by the node, each page joined to those before', async () => {
  const { team, userIds } = tenant;
  const { group } = await load('groupScreenQuery', { id: team, userId: userIds[7] });
  expect(group.hasEffectiveMember).toBe(true);
  const ids = async (fragment: string, field: string) =>
    (await read(fragment, group))[field].edges.map(({ node }: Untyped) => node.userId);
  expect((await ids('groupMembers', 'members')).length).toBe(2);
  for (const length of [4, 5]) {
    const { pageInfo } = (await read('groupMembers', group)).members;
    expect(pageInfo.hasNextPage).toBe(true);
    await load('groupMembersPageQuery', { id: team, first: 2, after: pageInfo.endCursor });
    expect((await ids('groupMembers', 'members')).length).toBe(length);
  }
  expect(await ids('groupMembers', 'members')).toEqual(userIds.slice(0, 5).toSorted());
  expect((await read('groupMembers', group)).members.pageInfo.hasNextPage).toBe(false);

  const { pageInfo } = (await read('groupEffectiveMembers', group)).effectiveMembers;
  await load('groupEffectiveMembersPageQuery', { id: team, first: 100, after: pageInfo.endCursor });
  expect(await ids('groupEffectiveMembers', 'effectiveMembers')).toEqual(userIds.slice(0, 11).toSorted());
});

test('pages backward, from the end of a list to its start', async () => {
  const variables = { filter: { parentGroupId: tenant.team }, orderBy: { field: 'NAME' }, last: 2 };
  const first = await load('directoryGroupsPageQuery', variables);
  const groups = async () => (await read('directoryGroups', first)).groups;
  expect(names(await namedOf(await groups()))).toEqual(['Part 4', 'Part 5']);
  for (const length of [4, 6]) {
    const { pageInfo } = await groups();
    expect(pageInfo.hasPreviousPage).toBe(true);
    await load('directoryGroupsPageQuery', { ...variables, before: pageInfo.startCursor });
    expect((await groups()).edges.length).toBe(length);
  }
  expect(names(await namedOf(await groups()))).toEqual([
    'Part 0',
    'Part 1',
    'Part 2',
    'Part 3',
    'Part 4',
    'Part 5',
  ]);
  expect((await groups()).pageInfo.hasPreviousPage).toBe(false);
});

/** A list's rows through the fragment that its row component would read. */
async function namedOf({ edges }: Untyped) {
  return {
    edges: await Promise.all(
      edges.map(async ({ node }: Untyped) => ({ node: await read('directoryGroupRow', node) })),
    ),
  };
}

test('every other query is answered without an error', async () => {
  const { team, tenantId, userIds } = tenant;
  const { nodes } = await load('userScreenQuery', { ids: [userIds[0], team] });
  expect(names((await read('userGroups', nodes[0].userGroups)).groups)).toEqual(['Team']);
  expect(nodes[1]).toEqual({ userGroups: null, userEffectiveGroups: null, userHistory: null });
  await load('directoryScreenQuery', { first: 2 });
  await load('tenantScreenQuery', { id: tenantId });
  const pages = { tenant: tenantId, group: team, user: userIds[0] } as Record<string, string>;
  for (const file of await readdir(join(app, '__generated__'))) {
    const [, noun, name] =
      /^((directory|tenant|group|user).*(?:Page|Refetch)Query)\.graphql\.ts$/.exec(file) ?? [];
    if (noun) expect(await load(noun, { id: pages[name!], first: 1 }), noun).toBeTruthy();
  }
});

test('refetches a node: what others changed comes in', async () => {
  const { group } = await load('groupScreenQuery', { id: tenant.everyone, userId: tenant.userIds[0] });
  await fetch(listening.url, {
    method: 'POST',
    headers: { ...tenant.headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      query: `mutation { updateGroup(input: { id: "${tenant.everyone}", name: "All" }) { __typename } }`,
    }),
  });
  expect((await read('groupHeader', group)).name).toBe('Everyone');
  await load('groupHeaderRefetchQuery', { id: tenant.everyone });
  expect((await read('groupHeader', group)).name).toBe('All');
});

/** The children of the team as a screen's list, and the id of that list in the store. */
async function listOfParts() {
  const filter = { parentGroupId: tenant.team };
  const root = await load('directoryGroupsPageQuery', { filter, first: 100 });
  const connections = [
    relay.ConnectionHandler.getConnectionID('client:root', 'directory_groups', {
      filter,
      orderBy: undefined,
    }),
  ];
  const list = async () => names(await namedOf((await read('directoryGroups', root)).groups));
  return { list, connections, filter };
}

test('a payload brings the store up to date: renamed, created and deleted in the lists that are named', async () => {
  const { team, tenantId, parts, requests } = tenant;
  const { list, connections } = await listOfParts();
  const before = requests.length;
  await mutate('mutationsRenameGroupMutation', { input: { id: parts[5], name: 'Last part' } });
  expect(await list()).toContain('Last part');
  const input = { tenantId, parentGroupId: team, name: 'New part' };
  await mutate('mutationsCreateGroupMutation', { input, connections });
  expect(await list()).toEqual(['Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'Last part', 'New part']);
  await mutate('mutationsDeleteGroupMutation', { input: { id: parts[5], strategy: 'CASCADE' }, connections });
  // No edge is left with a node that is null, which its type says cannot be.
  expect(await list()).toEqual(['Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4', 'New part']);
  expect(requests.length - before).toBe(3);
});

test('lists that are not named stay as they were, until the store is said to be out of date', async () => {
  const { team, tenantId, parts } = tenant;
  const { list, filter } = await listOfParts();
  const operation = relay.createOperationDescriptor(await artifact('directoryGroupsPageQuery'), {
    filter,
    first: 100,
  });
  environment.retain(operation);
  const stale = await list();
  const input = { tenantId, parentGroupId: team, name: 'New part' };
  await mutate('mutationsCreateGroupMutation', { input, connections: [] });
  expect(await list()).toEqual(stale);
  expect(environment.check(operation).status).toBe('available');
  const updater = (store: relay.RecordSourceSelectorProxy) => store.invalidateStore();
  await mutate(
    'mutationsDeleteGroupMutation',
    { input: { id: parts[5], strategy: 'CASCADE' }, connections: [] },
    { updater },
  );
  // A screen that is shown with `store-or-network`, the default, asks again.
  expect(environment.check(operation).status).toBe('stale');
  await load('directoryGroupsPageQuery', { filter, first: 100 });
  expect(await list()).toEqual(['New part', 'Part 0', 'Part 1', 'Part 2', 'Part 3', 'Part 4']);
});

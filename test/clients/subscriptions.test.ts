// The change feed in real receivers: Apollo Client with a link of graphql-sse, urql's own, Relay, and Hive Gateway in between.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApolloClient, ApolloLink, gql, InMemoryCache } from '@apollo/client';
import { createGatewayRuntime } from '@graphql-hive/gateway-runtime';
import { Client, fetchExchange } from '@urql/core';
import { print } from 'graphql';
import { createClient } from 'graphql-sse';
import relay from 'relay-runtime';
import { Observable } from 'rxjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { printPossibleTypes, printSchema } from '../../src/graphql/schema/print.ts';
import { COMPOSERS } from '../federation/compose.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
});
afterAll(() => database.close());

const CHANGES = `subscription Changes($tenantId: ID!, $after: String) {
  changes(tenantId: $tenantId, after: $after) {
    __typename cursor position
    ... on GroupChange { group { __typename id name } }
  }
}`;
type Change = { __typename: string; cursor: string; position: string; group: { name: string } };
type Received = { changes: Change[]; errors: unknown[]; isComplete: boolean };
const received = (): Received => ({ changes: [], errors: [], isComplete: false });

async function newTenant() {
  const { tenantId } = await createTenant(database.db);
  const token = await server.tokenFor({ sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId });
  const create = (name: string) => createGroup(openAsAdmin(database.db, tenantId), { tenantId, name });
  await create('First');
  return { tenantId, create, headers: { authorization: `Bearer ${token}` } };
}
type Tenant = Awaited<ReturnType<typeof newTenant>>;

type Subscription = { unsubscribe(): void };
/** Subscribes from the first change on. */
type Receiver = (url: string, tenant: Tenant, into: Received, after?: string) => Subscription;

const RECEIVERS: Record<string, Receiver> = {
  'Apollo Client': (url, { tenantId, headers }, into, after = '0') => {
    const events = createClient({ url, headers });
    // The link of graphql-sse's own recipes.
    const link = new ApolloLink(
      ({ query, variables, operationName }) =>
        new Observable((sink) =>
          events.subscribe(
            { query: print(query), variables, ...(operationName && { operationName }) },
            {
              next: (value) => sink.next(value as never),
              error: (error) => sink.error(error),
              complete: () => sink.complete(),
            },
          ),
        ) as never,
    );
    const client = new ApolloClient({
      link,
      cache: new InMemoryCache({ possibleTypes: JSON.parse(printPossibleTypes()) }),
    });
    return client
      .subscribe<{ changes: Change }>({
        query: gql(CHANGES),
        variables: { tenantId, after } as never,
        errorPolicy: 'all',
      })
      .subscribe({
        next: ({ data, error }) => {
          if (error) into.errors.push(error.message);
          else into.changes.push(data!.changes);
        },
        error: (error) => into.errors.push(error),
        complete: () => {
          into.isComplete = true;
        },
      });
  },
  urql: (url, { tenantId, headers }, into, after = '0') => {
    const client = new Client({
      url,
      fetchOptions: { headers },
      fetchSubscriptions: true,
      preferGetMethod: false,
      exchanges: [fetchExchange],
    });
    return client
      .subscription<{ changes: Change }>(CHANGES, { tenantId, after })
      .subscribe(({ data, error }) => {
        if (error) into.errors.push(error.graphQLErrors[0]?.message ?? error.message);
        else if (data) into.changes.push(data.changes);
      });
  },
  Relay: (url, { tenantId, headers }, into, after = '0') => {
    const events = createClient({ url, headers });
    const network = relay.Network.create(
      () => Promise.reject(new Error('no queries here')),
      ({ text, name }, variables) =>
        relay.Observable.create((sink) =>
          events.subscribe({ query: text!, operationName: name, variables }, sink as never),
        ),
    );
    return network
      .execute(
        { name: 'Changes', text: CHANGES, operationKind: 'subscription' } as never,
        { tenantId, after },
        {},
      )
      .subscribe({
        next: (response) => {
          const { data, errors } = response as unknown as { data?: { changes: Change }; errors?: Error[] };
          if (errors) into.errors.push(errors[0]!.message);
          else into.changes.push(data!.changes);
        },
        error: (error: Error) => into.errors.push(error),
        complete: () => {
          into.isComplete = true;
        },
      });
  },
};

const openStreams = async () => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^coterie_open_streams\{.*\} (\d+)$/m.exec(text)?.[1] ?? 0);
};

/** Expects each change once, as it happens, until the receiver leaves. */
async function expectFeed(receive: Receiver, url: string) {
  const tenant = await newTenant();
  const into = received();
  const subscription = receive(url, tenant, into);
  await expect.poll(() => into.changes).toHaveLength(1);
  for (const name of ['Second', 'Third']) await tenant.create(name);
  await expect.poll(() => into.changes).toHaveLength(3);
  expect(into.changes).toMatchObject(
    ['First', 'Second', 'Third'].map((name, at) => ({
      __typename: 'GroupCreated',
      position: String(at + 1),
      group: { name },
    })),
  );
  expect(into.errors).toEqual([]);
  subscription.unsubscribe();
  await expect.poll(openStreams).toBe(0);
  // From its cursor on it misses nothing, and gets nothing twice.
  await tenant.create('Fourth');
  const again = received();
  const next = receive(url, tenant, again, into.changes.at(-1)!.cursor);
  await expect.poll(() => again.changes).toHaveLength(1);
  expect(again.changes[0]!.group.name).toBe('Fourth');
  next.unsubscribe();
  await expect.poll(openStreams).toBe(0);
  // A refusal arrives as an error of the operation.
  const refused = received();
  const last = receive(url, tenant, refused, '77');
  await expect.poll(() => refused.errors.length).toBeGreaterThan(0);
  expect(String(refused.errors[0])).toContain('77');
  last.unsubscribe();
}

test.each(Object.keys(RECEIVERS))('%s', async (name) => {
  await expectFeed(RECEIVERS[name]!, `${server.url}/graphql`);
});

test('Hive Gateway passes the feed on, with the token of its caller', async () => {
  const { supergraph } = COMPOSERS['@theguild/federation-composition']([
    { name: 'directory', url: `${server.url}/graphql`, sdl: printSchema() },
  ]);
  const gateway = createGatewayRuntime({
    supergraph,
    propagateHeaders: {
      fromClientToSubgraphs: ({ request }) => ({ authorization: request.headers.get('authorization') ?? '' }),
    },
    logging: false,
    maskedErrors: false,
  });
  const listening = createServer(gateway);
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  try {
    await expectFeed(
      RECEIVERS.urql!,
      `http://127.0.0.1:${(listening.address() as AddressInfo).port}/graphql`,
    );
  } finally {
    listening.closeAllConnections();
    await new Promise((resolve) => listening.close(resolve));
    await gateway[Symbol.asyncDispose]();
  }
});

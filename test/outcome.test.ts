// A change that was answered as failed is never stored, and one whose outcome is not known says so: deadlines, clients that
// go away, and connections that break while a change commits. Over both APIs.
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../src/database/database.ts';
import { openPostgresql } from '../src/database/postgresql.ts';
import { newId, type TenantId } from '../src/model/ids.ts';
import { BEGIN, COMMIT, type Cut, startCuttingProxy } from './support/cutting-proxy.ts';
import { createTenant } from './support/directories.ts';
import { oneWaits, openTestDatabase, type TestDatabase, untilOneWaits } from './support/postgresql.ts';
import { SUPER_ADMIN, startApp, type TestApp } from './support/server.ts';
import { PATIENT } from './support/timeouts.ts';

/** Milliseconds of an operation: more than a change takes on a busy machine, and less than the waits of these tests. */
const DEADLINE = 1_500;

let database: TestDatabase;
let tenantId: TenantId;
let hasty: TestApp;
let patient: TestApp;
/** Messages that `patient` has logged as warnings or errors. */
const logged: string[] = [];

beforeAll(async () => {
  database = await openTestDatabase();
  hasty = await startApp(database.db, { TIMEOUT_OPERATION_MS: String(DEADLINE) });
  const logger = pino({ level: 'warn' }, { write: (line: string) => logged.push(JSON.parse(line).msg) });
  patient = await startApp(database.db, { TIMEOUT_OPERATION_MS: '120000' }, { logger });
});
afterAll(() => database.close());
beforeEach(async () => {
  ({ tenantId } = await createTenant(database.db));
});

const CREATE = `mutation ($input: CreateGroupInput!) {
  createGroup(input: $input) { ... on CreateGroupPayload { group { name } } } }`;

type Answer = { status: number; headers: Headers; body: Record<string, never> };
type Way = (app: TestApp, name: string, signal?: AbortSignal | null) => Promise<Answer>;

async function send(app: TestApp, path: string, body: object, options: RequestInit): Promise<Answer> {
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${await app.tokenFor(SUPER_ADMIN)}`,
    ...options.headers,
  };
  const response = await fetch(`${app.url}${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    ...options,
    headers,
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: JSON.parse(text) };
}

const byGraphQL =
  (headers: Record<string, string>): Way =>
  (app, name, signal = null) =>
    send(app, '/graphql', { query: CREATE, variables: { input: { tenantId, name } } }, { headers, signal });

/** Each way on which a request can reach the domain. */
const WAYS: Record<string, Way> = {
  'the fast path': byGraphQL({}),
  'the fast path that gives up': byGraphQL({ accept: 'application/json; charset=utf-8' }),
  Yoga: byGraphQL({ 'content-type': 'application/json; charset="utf-8"' }),
  REST: (app, name, signal = null) => send(app, `/api/v1/tenants/${tenantId}/groups`, { name }, { signal }),
};
const ways = Object.entries(WAYS);

/** What an answer says of its failure: the code in GraphQL, the status in REST; and the outcome. */
function failureOf({ status, body, headers }: Answer) {
  const { errors, detail } = body as unknown as {
    errors?: { path?: string[]; extensions: { code: string; outcome?: string } }[];
    detail?: string | { code: string; outcome?: string };
  };
  const retry = headers.get('retry-after');
  if (errors) {
    const [{ path, extensions }] = errors as [NonNullable<typeof errors>[number]];
    return { code: extensions.code, outcome: extensions.outcome, retry, at: path?.join('.') };
  }
  const told =
    typeof detail === 'object' ? detail : { code: status === 503 ? 'UNAVAILABLE' : String(status) };
  return { code: told.code, outcome: 'outcome' in told ? told.outcome : undefined, retry, status };
}

const namesOf = async (tenant = tenantId) =>
  (
    await database.db.sql<{ name: string }>(
      Prisma.sql`select name from groups where tenant_id = ${tenant} and deleted_at is null order by name`,
    )
  ).map(({ name }) => name);

/** Locks the tenant as another change would, while `work` runs. */
async function whileLocked<Result>(work: () => Promise<Result>): Promise<Result> {
  return database.db.transaction(async (sql) => {
    await sql(Prisma.sql`select 1 from tenants where id = ${tenantId} for update`);
    return work();
  });
}
const noneWaits = async () => !(await oneWaits(database.db));

/** Resolves when no other session of the database has a transaction. */
async function untilQuiet(): Promise<void> {
  const open = Prisma.sql`
    select 1 from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null`;
  await expect.poll(() => database.db.sql(open), { timeout: 20_000 }).toEqual([]);
}

describe.each(ways)('by %s', (way, create) => {
  const isRest = way === 'REST';

  test('a change that waits past its deadline is cancelled, told as late, and never stored', async () => {
    const failure = await whileLocked(async () => {
      const answer = failureOf(await create(hasty, 'Late'));
      // Its statement no longer waits, although the lock is still held.
      expect(await noneWaits()).toBe(true);
      return answer;
    });
    expect(failure).toEqual(
      isRest
        ? { code: 'UNAVAILABLE', outcome: undefined, retry: '1', status: 503 }
        : { code: 'TIMEOUT', outcome: undefined, retry: null, at: 'createGroup' },
    );
    await untilQuiet();
    expect(await namesOf()).toEqual([]);
    // The connection that was given up is replaced.
    expect((await create(patient, 'Next')).status).toBeLessThan(300);
    expect(await namesOf()).toEqual(['Next']);
  });

  test('a change whose client goes away is cancelled, and never stored', async () => {
    const client = new AbortController();
    logged.length = 0;
    await whileLocked(async () => {
      const asked = create(patient, 'Left', client.signal);
      await untilOneWaits(database);
      client.abort();
      await expect(asked).rejects.toThrow('aborted');
      await expect.poll(noneWaits, { timeout: 10_000 }).toBe(true);
    });
    await untilQuiet();
    expect(await namesOf()).toEqual([]);
    await expect.poll(() => logged).toEqual(['The client has disconnected']);
  });
});

describe('a commit that takes longer than the deadline', () => {
  afterEach(() => database.db.sql(Prisma.sql`drop trigger slow on groups`));

  test.each(ways)('is awaited, and answered as what it is, by %s', async (_way, create) => {
    await database.db.sql(Prisma.sql`
      create or replace function slow() returns trigger language plpgsql as $$
      begin perform pg_sleep(${Prisma.raw(String(DEADLINE / 1_000 + 0.5))}); return null; end $$`);
    await database.db.sql(Prisma.sql`
      create constraint trigger slow after insert on groups
      deferrable initially deferred for each row execute function slow()`);
    const { status, body } = await create(hasty, 'Slow');
    expect([status, body.errors]).toEqual([status === 201 ? 201 : 200, undefined]);
    expect(await namesOf()).toEqual(['Slow']);
  });
});

test('a deletion of many groups that takes longer than its deadline deletes none', async () => {
  const { db } = database;
  const names = ['Root', ...Array.from({ length: 20 }, (_, at) => `Child ${String(at).padStart(2, '0')}`)];
  const ids = names.map(() => newId('group'));
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, name, name_key, search_key, parent_group_id)
    select id, ${tenantId}, name, lower(name), lower(name), case when n > 1 then ${ids[0]!} end
    from unnest(${ids}::text[], ${names}::text[]) with ordinality g(id, name, n)`);
  await db.sql(Prisma.sql`
    create function dawdle() returns trigger language plpgsql as $$
    begin perform pg_sleep(0.3); return new; end $$`);
  await db.sql(
    Prisma.sql`create trigger dawdle before update on groups for each row execute function dawdle()`,
  );
  try {
    const { body } = await hasty.ask(
      SUPER_ADMIN,
      `mutation { deleteGroup(input: { id: "${ids[0]}", strategy: CASCADE }) { __typename } }`,
    );
    expect(body.errors).toMatchObject([{ path: ['deleteGroup'], extensions: { code: 'TIMEOUT' } }]);
    await untilQuiet();
    expect(await namesOf()).toEqual(names.toSorted());
  } finally {
    await db.sql(Prisma.sql`drop trigger dawdle on groups`);
  }
});

test('of two changes in one operation, the first stays told as stored when the second is late', async () => {
  const create = (alias: string, tenant: string) => `
    ${alias}: createGroup(input: { tenantId: "${tenant}", name: "Of two" }) {
      ... on CreateGroupPayload { group { name } } }`;
  const { tenantId: free } = await createTenant(database.db);
  const { body } = await whileLocked(() =>
    hasty.ask(
      SUPER_ADMIN,
      `mutation { ${create('first', free)} ${create('second', tenantId)} ${create('third', free)} }`,
    ),
  );
  expect(body.data).toEqual({ first: { group: { name: 'Of two' } }, second: null, third: null });
  expect(body.errors).toMatchObject(
    ['second', 'third'].map((name) => ({ path: [name], extensions: { code: 'TIMEOUT' } })),
  );
  await untilQuiet();
  expect([await namesOf(free), await namesOf()]).toEqual([['Of two'], []]);
});

describe('a connection that breaks', () => {
  let proxy: Awaited<ReturnType<typeof startCuttingProxy>>;
  let db: Database;
  let behind: TestApp;
  beforeAll(async () => {
    proxy = await startCuttingProxy(database.url);
    db = openPostgresql({ url: proxy.url, timeouts: { ...PATIENT, query: DEADLINE } });
    behind = await startApp(db);
  });
  afterEach(() => {
    proxy.cut = null;
  });
  afterAll(async () => {
    await db.close();
    await proxy.stop();
  });

  const unknown = (isRest: boolean) => ({
    code: 'UNAVAILABLE',
    outcome: 'UNKNOWN',
    // Who repeats it unasked might do it twice.
    retry: null,
    ...(isRest ? { status: 503 } : { at: 'createGroup' }),
  });

  const failed = (isRest: boolean) => ({ ...unknown(isRest), outcome: undefined, retry: '1' });

  describe.each(ways)('by %s', (way, create) => {
    const isRest = way === 'REST';

    test.each<[string, Cut['when']]>([
      ['after the server got COMMIT', 'after'],
      ['by silence after COMMIT', 'silent'],
    ])('%s leaves an unknown outcome: here the change is stored', async (_moment, when) => {
      proxy.cut = { at: COMMIT, when };
      const { cuts } = proxy;
      expect(failureOf(await create(behind, 'Unknown'))).toEqual(unknown(isRest));
      expect(proxy.cuts).toBe(cuts + 1);
      expect(await namesOf()).toEqual(['Unknown']);
    });

    test('before the server got COMMIT leaves an unknown outcome too: here it is not stored', async () => {
      proxy.cut = { at: COMMIT, when: 'before' };
      expect(failureOf(await create(behind, 'Cut off'))).toEqual(unknown(isRest));
      await untilQuiet();
      expect(await namesOf()).toEqual([]);
    });

    test('before COMMIT was sent leaves none: nothing is stored', async () => {
      proxy.cut = { at: BEGIN, when: 'after' };
      expect(failureOf(await create(behind, 'Cut off'))).toEqual(failed(isRest));
      await untilQuiet();
      expect(await namesOf()).toEqual([]);
    });

    test('since the server ends it before COMMIT leaves none: nothing is stored', async () => {
      const failure = await whileLocked(async () => {
        const asked = create(behind, 'Cut off');
        await untilOneWaits(database);
        await database.db.sql(Prisma.sql`
          select pg_terminate_backend(pid, 30000) from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`);
        return failureOf(await asked);
      });
      expect(failure).toEqual(failed(isRest));
      expect(await namesOf()).toEqual([]);
    });
  });
});

// A loud neighbour: a tenant whose changes wait holds neither the connections nor the answers of other tenants.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/database/open.ts';
import { Turns } from '../../src/database/turns.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { tenantAdmin } from '../support/directories.ts';
import { createWorld, holdGraph, refusal } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { PATIENT } from '../support/timeouts.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

test.each([
  ['changes', 1],
  ['additions', 2],
  ['both', 3],
] as const)(
  '%s of a tenant whose log is held leave connections to others, and none is lost',
  async (_what, kinds) => {
    const loud = await createWorld(database.db, { Team: {} }, 40);
    const quiet = await createWorld(database.db, { Team: {} }, 1);
    const lock = 1_000;
    const db = await openDatabase({
      url: database.url,
      dataDir: '',
      poolSize: 3,
      timeouts: { ...PATIENT, lock },
    });
    const open = (tenantId: typeof loud.tenantId) => openDirectory(db, tenantAdmin(tenantId));
    try {
      let changes: Promise<unknown>[] = [];
      await database.db.transaction(async (sql) => {
        await sql(holdGraph(loud.tenantId));
        changes = Array.from({ length: 40 }, (_, at) => {
          const directory = open(loud.tenantId);
          const isAddition = kinds === 2 || (kinds === 3 && at % 2 === 0);
          return refusal(
            isAddition
              ? addGroupMembers(directory, { groupId: loud.ids.Team, userIds: [loud.users[at]!] })
              : updateGroup(directory, { id: loud.ids.Team, description: `Change ${at}` }),
          );
        });
        // The others read and change while these wait, more often than there are connections.
        for (let at = 0; at < 20; at += 1) {
          const started = performance.now();
          expect(await findGroup(open(quiet.tenantId), quiet.ids.Team)).toMatchObject({ name: 'Team' });
          await updateGroup(open(quiet.tenantId), { id: quiet.ids.Team, description: `Quiet ${at}` });
          expect(performance.now() - started).toBeLessThan(lock / 2);
        }
        // Each is told that the tenant is busy, in the time of one lock and not of forty.
        const outcomes = await Promise.all(changes);
        for (const outcome of outcomes) expect(outcome).toMatchObject({ code: 'UNAVAILABLE' });
      });
      // Nothing of them is stored later, and the next change takes the next position.
      expect(
        await updateGroup(open(loud.tenantId), { id: loud.ids.Team, description: 'Last' }),
      ).toMatchObject({
        position: 1,
      });
    } finally {
      await db.close();
    }
  },
);

test('turns come in the order of arrival, and one that fails or leaves lets the next one go on', async () => {
  const turns = new Turns(50);
  const order: string[] = [];
  const gates = new Map<string, () => void>();
  const work = (name: string) => async () => {
    order.push(name);
    await new Promise<void>((resolve) => gates.set(name, resolve));
    if (name === 'b') throw new Error('of b');
    return name;
  };
  const abort = new AbortController();
  const a = turns.run('key', work('a'));
  const b = turns.run('key', work('b'));
  const failed = expect(b).rejects.toThrow('of b');
  const left = turns.run('key', work('left'), abort.signal);
  const c = turns.run('key', work('c'));
  const other = turns.run('other', work('other'));
  expect(order).toEqual(['a', 'other']);
  abort.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  await expect(turns.run('key', work('never'), abort.signal)).rejects.toThrow('gone');
  for (const name of ['a', 'b', 'c', 'other']) {
    gates.get(name)!();
    await new Promise((resolve) => setTimeout(resolve));
  }
  expect(await a).toBe('a');
  await failed;
  expect([await c, await other]).toEqual(['c', 'other']);
  expect(order).toEqual(['a', 'other', 'b', 'c']);
  // What waits too long is told so, as by a lock.
  const long = turns.run('key', work('long'));
  await expect(turns.run('key', work('late'))).rejects.toMatchObject({ code: '55P03' });
  gates.get('long')!();
  expect(await long).toBe('long');
  // The key is free again.
  const next = turns.run('key', async () => 'next');
  expect(await next).toBe('next');
});

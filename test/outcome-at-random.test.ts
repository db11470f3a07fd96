// Changes that are ended, cut off and left without an answer at random: what each was answered is what is stored.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Prisma } from '../src/database/database.ts';
import { openPostgresql } from '../src/database/postgresql.ts';
import { createGroup } from '../src/domain/commands/create-group.ts';
import { openDirectory } from '../src/domain/directory.ts';
import { BEGIN, COMMIT, startCuttingProxy } from './support/cutting-proxy.ts';
import { createTenant, superAdmin } from './support/directories.ts';
import { openTestDatabase } from './support/postgresql.ts';
import { randomFrom } from './support/random.ts';
import { seed } from './support/seed.ts';
import { PATIENT } from './support/timeouts.ts';

const WORKERS = 6;
const CHANGES = 50;
/** Milliseconds for an answer of the database: what is left without one is given up. */
const PATIENCE = 500;

test('no change that was answered as failed is stored, and every one that was answered as stored is', async () => {
  const random = randomFrom(seed);
  const database = await openTestDatabase();
  const proxy = await startCuttingProxy(database.url);
  const db = openPostgresql({ url: proxy.url, timeouts: { ...PATIENT, query: PATIENCE } });
  const tenants = await Promise.all(Array.from({ length: 4 }, () => createTenant(database.db)));
  const answers = new Map<string, string>();

  const change = async (name: string) => {
    const { tenantId } = tenants[random(tenants.length)]!;
    const controller = new AbortController();
    if (random(2) === 0) setTimeout(() => controller.abort(new Error('late')), random(30));
    const at = [COMMIT, BEGIN][random(2)]!;
    const when = (['before', 'after', 'silent'] as const)[random(3)]!;
    proxy.cut = random(7) === 0 ? { at, when } : null;
    const directory = openDirectory(db, superAdmin, { signal: controller.signal });
    const answer = await createGroup(directory, { tenantId, name }).then(
      () => 'stored',
      (error) => error.details?.outcome ?? error.code ?? error.message,
    );
    answers.set(name, answer);
  };
  await Promise.all(
    Array.from({ length: WORKERS }, async (_, worker) => {
      for (let index = 0; index < CHANGES; index += 1) await change(`Group ${worker}.${index}`);
    }),
  );
  // What was given up must not be stored later either.
  await sleep(PATIENCE);
  const rows = await database.db.sql<{ name: string }>(Prisma.sql`select name from groups`);
  const stored = new Set(rows.map(({ name }) => name));
  const decided = [...answers].filter(([, answer]) => answer !== 'UNKNOWN');
  expect(decided.filter(([name, answer]) => (answer === 'stored') !== stored.has(name))).toEqual([]);
  // Each kind of answer was there.
  expect([...new Set(answers.values())].toSorted()).toEqual(['UNAVAILABLE', 'UNKNOWN', 'late', 'stored']);
  await db.close();
  await proxy.stop();
  await database.close();
});

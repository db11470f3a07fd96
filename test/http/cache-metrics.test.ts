// What /metrics tells of the caches, after real requests.
import { expect, test } from 'vitest';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { parseSamples } from '../support/metrics.ts';
import { openTestDatabase } from '../support/postgresql.ts';
import { SUPER_ADMIN, startApp } from '../support/server.ts';

test('each cache counts what it could answer, and what it could not', async () => {
  const database = await openTestDatabase();
  try {
    const { tenantId } = await createTenant(database.db);
    const { group } = await createGroup(openAsAdmin(database.db, tenantId), { tenantId, name: 'Cached' });
    const app = await startApp(database.db);
    const counts = async () => {
      const samples = parseSamples(await (await fetch(`${app.url}/metrics`)).text());
      return ['tokens', 'operations', 'closures'].map((cache) =>
        ['hits', 'misses'].map(
          (outcome) => samples.get(`coterie_cache_${outcome}_total{cache="${cache}"}`) ?? 0,
        ),
      );
    };
    const query = `{ group(id: "${group.id}") { effectiveMembers(first: 5) { totalCount edges { node { userId } } } } }`;
    const changed = async () => {
      const before = await counts();
      await app.data(SUPER_ADMIN, query);
      return (await counts()).map((pair, at) => pair.map((count, side) => count - before[at]![side]!));
    };
    const [hit, miss] = [
      [1, 0],
      [0, 1],
    ];
    expect(await changed()).toEqual([miss, miss, miss]);
    expect(await changed()).toEqual([hit, hit, hit]);
  } finally {
    await database.close();
  }
});

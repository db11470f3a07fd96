// `npm run bench -- contention`: whether writers wait for each other because their groups lie below one root.
import { type Contender, startContender } from './contenders.ts';
import { startIssuer } from './issuer.ts';
import { applyLoad, requestBytes } from './load.ts';
import { say } from './measure.ts';
import type { Options } from './options.ts';
import { startServer } from './postgresql.ts';
import { prepare } from './prepare.ts';
import { median } from './report.ts';
import { askOnce } from './requests.ts';
import { onServer, type RunSql } from './run-sql.ts';

/** 16 leaves below one root that every user is a member of, and 16 leaves below a root each. */
async function makeLeaves(
  run: RunSql,
): Promise<{ tenant: string; together: string[]; apart: string[]; users: string[] }> {
  await run(`
    insert into groups (tenant_id, id, name, name_key, search_key)
    select t.id, 'grp_bench' || kind || at, 'Bench ' || kind || at, 'bench ' || kind || at, 'bench ' || kind || at
    from bench.tenants t, unnest(array['Together', 'Apart', 'Root']) kind, generate_series(0, 15) at where t.t = 0
    on conflict do nothing`);
  await run(
    `insert into ids (id, tenant_id) select id, tenant_id from groups where name_key like 'bench %' on conflict do nothing`,
  );
  await run(`
    insert into nestings (tenant_id, parent_group_id, child_group_id, since, created_at, created_by)
    select t.id, case kind when 'Together' then g.id else 'grp_benchRoot' || at end, 'grp_bench' || kind || at, l.position, l.time,
      'bench'
    from bench.tenants t join (select tenant_id, position, at as time from tenant_logs) l on l.tenant_id = t.id
    join bench.groups g on g.t = t.t and g.n = 0, unnest(array['Together', 'Apart']) kind,
      generate_series(0, 15) at where t.t = 0 on conflict do nothing`);
  const ids = async (statement: string) => (await run(statement)).map((row) => row.id as string);
  const [tenant] = await ids('select id from bench.tenants where t = 0');
  return {
    tenant: tenant!,
    together: Array.from({ length: 16 }, (_, at) => `grp_benchTogether${at}`),
    apart: Array.from({ length: 16 }, (_, at) => `grp_benchApart${at}`),
    users: await ids('select id from bench.users where t = 0 order by n'),
  };
}

/** Prints members added a second in both cases, and their ratio: the median over interleaved rounds. */
export async function contention({ sizes, rounds, seconds, connections, keep }: Options): Promise<void> {
  const server = await startServer(keep);
  let contender: Contender | undefined;
  try {
    await prepare(server, sizes);
    const { tenant, together, apart, users } = await onServer(server.url, makeLeaves);
    const issuer = await startIssuer(tenant);
    contender = await startContender('coterie', issuer, { DATABASE_URL: server.url });
    const { port, headers, operations } = contender;
    const added = { together: 0, apart: 0 };
    const rates: Record<keyof typeof added, number[]> = { together: [], apart: [] };
    for (let round = -1; round < rounds; round += 1) {
      for (const [kind, groups] of [
        ['together', together],
        ['apart', apart],
      ] as const) {
        const next = () => {
          const at = added[kind]++;
          const user = users[Math.floor(at / groups.length) % users.length]!;
          const group = groups[at % groups.length]!;
          const { path, body } = operations.write({ kind: 'M1', tenant, target: group, value: user });
          return requestBytes(path, body, headers);
        };
        const load = await applyLoad({ port, connections, seconds, next });
        if (load.failures > 0) throw new Error(`${load.failures} writes failed`);
        if (round >= 0) rates[kind].push(load.requests / load.seconds);
      }
    }
    const count = (await askOnce(contender, {
      path: '/graphql',
      body: {
        query: `{ group(id: "${together[0]}") { parentGroups { edges { node { effectiveMemberCount } } } } }`,
      },
    })) as object;
    say(JSON.stringify(count));
    const ratio = median(rates.together.map((rate, at) => rate / rates.apart[at]!));
    process.stdout.write(
      `${connections} connections adding members: ${median(rates.together).toFixed(0)}/s to leaves below one root of all users, ` +
        `${median(rates.apart).toFixed(0)}/s below different roots; ratio ${ratio.toFixed(2)} (goal 0.8)\n`,
    );
    issuer.stop();
  } finally {
    await contender?.stop();
    await server.stop();
  }
}

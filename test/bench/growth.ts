// `npm run bench -- growth`: the same queries on directories that grow a hundredfold, and on a graph made to hurt.
import { type Contender, memoryOf, startContender } from './contenders.ts';
import type { Sizes } from './data-set.ts';
import { startIssuer } from './issuer.ts';
import { applyLoad, percentile } from './load.ts';
import { say } from './measure.ts';
import type { Options } from './options.ts';
import { startServer } from './postgresql.ts';
import { prepare } from './prepare.ts';
import { readQueries } from './queries.ts';
import { askOnce, readRequests, walkPages } from './requests.ts';
import { onServer, type RunSql } from './run-sql.ts';

/** Depth cannot grow a hundredfold: it ends at the 32 that every stored path keeps. */
const scaled = (
  { users, groups, memberships, nestings }: Sizes,
  share: number,
  depth: number,
  tenants: number,
) => ({
  users: users * share,
  groups: groups * share,
  memberships: memberships * share,
  nestings: nestings * share,
  depth,
  tenants,
});

const QUERIES = ['Q1', 'Q2', 'Q3', 'Q4', 'Q5', 'Q5a', 'Q5b', 'deep', 'search', 'user'];
/** Enough to see a latency without a queue in it. */
const CONNECTIONS = 2;
const PAGE = 'effectiveMembers(first: 20) { edges { node { userId } } }';

type Row = Record<string, string>;

/** Prints a table with a column a scale, and what the hostile graph costs. */
export async function growth({ sizes, seconds }: Options): Promise<void> {
  const columns: [string, Row][] = [];
  for (const [name, share, depth, tenants] of [
    ['1×', 0.01, 4, 2],
    ['10×', 0.1, 12, 20],
    ['100×', 1, 32, 200],
  ] as const) {
    columns.push([name, await onScale(scaled(sizes, share, depth, tenants), seconds)]);
    say(`${name} done`);
  }
  // The largest has every query; small ones have no user in 200 groups, say.
  const names = Object.keys(columns.at(-1)![1]);
  const header = ['p50 ms (statements a request)', ...columns.map(([name]) => name)];
  const rows = names.map((name) => [name, ...columns.map(([, row]) => row[name] ?? '–')]);
  process.stdout.write(
    `${[header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`,
  );
}

async function onScale(sizes: Sizes, seconds: number): Promise<Row> {
  const server = await startServer(null);
  let contender: Contender | undefined;
  try {
    await prepare(server, sizes);
    await onServer(server.url, makeHostileGraph);
    const all = await onServer(server.url, (run) => readQueries(run, sizes.depth));
    const { tenant } = all[0]!.variants[0]!;
    const issuer = await startIssuer(tenant);
    contender = await startContender('coterie', issuer, { DATABASE_URL: server.url });
    const row: Row = {
      'first answer, ms': String(Math.round(contender.startMs)),
      'memory at rest, MB': memory(contender),
    };
    const cursors = await walkPages(contender, tenant);
    // A small directory has few groups of the size that a query wants.
    for (const query of all.filter(({ id, variants }) => QUERIES.includes(id) && variants.length > 0)) {
      const next = readRequests(contender, query, cursors)!;
      await applyLoad({ port: contender.port, connections: CONNECTIONS, seconds: seconds / 2, next });
      const before = await statementsOf(contender);
      const load = await applyLoad({ port: contender.port, connections: CONNECTIONS, seconds, next });
      const statements = ((await statementsOf(contender)) - before) / load.requests;
      row[`${query.id} ${query.title}`] =
        `${percentile(load.latencies, 0.5).toFixed(1)} (${statements.toFixed(0)})`;
    }
    const dense = all.find(({ id }) => id === 'Q5b')!.variants[0]!.group!;
    const users = await onServer(server.url, (run) => newcomers(run, dense));
    row['Q5b right after a member was added'] = await readAfterAddition(contender, dense, dense, users);
    Object.assign(row, await onHostileGraph(contender, users));
    row['memory after, MB'] = memory(contender);
    issuer.stop();
    return row;
  } finally {
    await contender?.stop();
    await server.stop();
  }
}

const memory = ({ pid }: Contender) => String(Math.round(memoryOf(pid) ?? 0));

async function statementsOf({ port }: Contender): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^coterie_statements_total (\d+)/m.exec(text)?.[1] ?? 0);
}

/** 32 levels of 100 groups, each nested in ten of the level above: 31,000 edges, and every path is as long as it may be. */
export async function makeHostileGraph(run: RunSql): Promise<void> {
  await run(`
    insert into groups (tenant_id, id, name, name_key, search_key)
    select t.id, 'grp_hostile' || level || 'x' || at, 'zz ' || level || ' ' || at, 'zz ' || level || ' ' || at, 'zz'
    from bench.tenants t, generate_series(0, 31) level, generate_series(0, 99) at where t.t = 0`);
  await run(`insert into ids (id, tenant_id) select id, tenant_id from groups where search_key = 'zz'`);
  await run(`
    insert into nestings (tenant_id, parent_group_id, child_group_id, since, created_at, created_by)
    select t.id, 'grp_hostile' || level || 'x' || at, 'grp_hostile' || level + 1 || 'x' || (at * 7 + k * 11) % 100,
      l.position, l.time, 'bench'
    from bench.tenants t join (select tenant_id, position, at as time from tenant_logs) l on l.tenant_id = t.id,
      generate_series(0, 30) level, generate_series(0, 99) at, generate_series(0, 9) k where t.t = 0
    on conflict do nothing`);
  await run(`
    with added as (
      insert into memberships (tenant_id, group_id, user_id, since, added_at, added_by)
      select t.id, 'grp_hostile' || 31 || 'x' || u.n % 100, u.id, l.position, l.time, 'bench'
      from bench.tenants t join (select tenant_id, position, at as time from tenant_logs) l on l.tenant_id = t.id
      join bench.users u on u.t = t.t and u.n < 500 where t.t = 0
      returning tenant_id, group_id)
    update groups g set member_count = a.n from (select tenant_id, group_id, count(*)::int as n from added group by 1, 2) a
    where a.tenant_id = g.tenant_id and a.group_id = g.id`);
  await run('vacuum analyze groups');
  await run('vacuum analyze nestings');
}

/** Users of the hostile graph's tenant who are not yet members of a group. */
const newcomers = async (run: RunSql, group: string) =>
  (
    await run(`select u.id from bench.users u join bench.tenants t using (t) where u.t = 0 and not exists (
      select from memberships m where m.tenant_id = t.id and m.group_id = '${group}' and m.user_id = u.id) order by u.n desc limit 15`)
  ).map(({ id }) => id as string);

/** Milliseconds until the answer; throws for a mutation that was refused, or had nothing to do. */
async function timed(contender: Contender, query: string): Promise<number> {
  const started = performance.now();
  const answer = await askOnce(contender, { path: '/graphql', body: { query } });
  const ms = performance.now() - started;
  if (/"code":|"added":\[\]/.test(JSON.stringify(answer))) throw new Error(JSON.stringify(answer));
  return ms;
}

const medianOf = (times: number[]) => percentile(Float64Array.from(times).sort(), 0.5).toFixed(1);

/** Times a page and the count of effective members when each of the users was just added to the group, or to one below. */
async function readAfterAddition(
  contender: Contender,
  group: string,
  below: string,
  users: string[],
): Promise<string> {
  const times = [];
  for (const user of users) {
    await timed(
      contender,
      `mutation { addGroupMembers(input: { groupId: "${below}", userIds: ["${user}"] }) { ... on AddGroupMembersPayload { added } ... on Error { code message } } }`,
    );
    times.push(await timed(contender, `{ group(id: "${group}") { effectiveMemberCount ${PAGE} } }`));
  }
  return medianOf(times);
}

async function onHostileGraph(contender: Contender, users: string[]): Promise<Row> {
  const again = async (selection: string) => {
    const query = `{ group(id: "grp_hostile0x0") { ${selection} } }`;
    const first = await timed(contender, query);
    const times = [];
    for (let run = 0; run < 15; run += 1) times.push(await timed(contender, query));
    return `${medianOf(times)} (first ${first.toFixed(0)})`;
  };
  const edge = '{ groupId: "grp_hostile0x0", childGroupIds: ["grp_hostile1x50"] }';
  return {
    'hostile graph: effective page': await again(PAGE),
    'hostile graph: effective count': await again('effectiveMemberCount'),
    'hostile graph: page and count right after a member was added': await readAfterAddition(
      contender,
      'grp_hostile0x0',
      'grp_hostile31x0',
      users,
    ),
    'hostile graph: an edge written': (
      await timed(
        contender,
        `mutation { addNestedGroups(input: ${edge}) { ... on AddNestedGroupsPayload { added } ... on Error { code message } } }`,
      )
    ).toFixed(0),
  };
}

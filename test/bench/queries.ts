// What is asked: each query with its variants, taken from the data set, and the goals that are set for it.
import type { RunSql } from './run-sql.ts';

/** What a variant asks about; each contender writes it in its own language. `row` is the number of groups before a page. */
export type Variant = {
  tenant: string;
  group?: string;
  user?: string;
  ids?: string[];
  row?: number;
  search?: string;
};

export type Query = {
  id: string;
  /** What contenders call it, if several queries ask the same of other keys. */
  asks: string;
  title: string;
  /** At least this many times another's rate. */
  goals?: Record<string, number>;
  /** Each request takes one at random. */
  variants: Variant[];
};

/** Keys that are asked for again and again, in the rows that say so. */
const REPEATED = 40;

/** All reads, with variants that the data set has: first those with keys from the whole tenant, then those with repeated keys. */
export async function readQueries(run: RunSql, depth: number): Promise<Query[]> {
  const ids = async (sql: string) => (await run(sql)).map((row) => row.id as string);
  const [tenant] = await ids('select id from bench.tenants where t = 0');
  const groups = await ids('select id from bench.groups where t = 0 order by md5(id)');
  const users = await ids('select id from bench.users where t = 0 order by md5(id)');
  const sparse = await ids(`
    select g.id from (select id from bench.groups
      where t = 0 and level = ${Math.max(0, depth - 6)} and n > 300 and n < 6000) g
    cross join lateral (
      with recursive reach(id) as (
        select g.id union select n.child_group_id from reach join nestings n
          on n.tenant_id = '${tenant}' and n.parent_group_id = reach.id)
      select count(distinct m.user_id) as n from reach join memberships m
        on m.tenant_id = '${tenant}' and m.group_id = reach.id) r
    where r.n between 600 and 1500 order by md5(g.id) limit ${REPEATED}`);
  const dense = await ids('select id from bench.groups where t = 0 and n = 0');
  const of = (variants: Omit<Variant, 'tenant'>[]) => variants.map((each) => ({ tenant: tenant!, ...each }));
  const onGroups = of(groups.map((group) => ({ group })));
  // Every page that is full.
  const rows = Array.from({ length: Math.max(1, groups.length - 51) }, (_, row) => row);
  const onRows = of(rows.map((row) => ({ row })));
  const onPages = of(rows.filter((row) => row % 50 === 0).map((row) => ({ row })));
  const sets = Array.from({ length: Math.ceil(groups.length / 100) }, (_, at) => at * 100);
  const letters = Array.from({ length: 4_096 }, (_, at) => at.toString(16).padStart(3, '0'));
  const first = of([{ row: 0 }]);
  const goals = { postgraphile: 2, limit: 0.9 };
  const unique = (asks: string, title: string, variants: Variant[], own = goals) => ({
    id: asks,
    asks,
    title,
    goals: own,
    variants,
  });
  const repeated = (id: string, asks: string, title: string, variants: Variant[]) => ({
    id,
    asks,
    title: `${title}: repeated keys, ${variants.length}`,
    variants,
  });
  return [
    unique('Q1', 'one group and its member count', onGroups),
    unique('Q2', '50 groups, two counts each', onRows),
    unique('Q3', '20 groups, 10 members and total each', onRows),
    unique('Q4', '20 groups × 5 nested × 5 members', onRows),
    unique('Q5', 'effective members of any group, page and total', onGroups),
    unique('deep', '50 groups after a cursor', onRows),
    unique('deep-back', '50 groups before a cursor', onRows),
    unique('search', 'search on 3 letters, 20 groups and total', of(letters.map((search) => ({ search })))),
    unique('user', 'effective groups of any user, 20 and total', of(users.map((user) => ({ user })))),
    unique('REST', 'REST: a page of 50 groups by its number, and the total', onPages),
    unique(
      'entities',
      '_entities of 100 groups',
      of(sets.map((from) => ({ ids: groups.slice(from, from + 100) }))),
      { postgraphile: 1.5, limit: 0.9 },
    ),
    repeated('Q1-repeated', 'Q1', 'Q1', onGroups.slice(0, REPEATED)),
    repeated('Q5a', 'Q5', 'Q5 over 30 groups, 1k users', of(sparse.map((group) => ({ group })))),
    repeated('Q5b', 'Q5', 'Q5 over 1.4k groups, 95k users', of(dense.map((group) => ({ group })))),
    repeated('Q3-big', 'Q3', 'Q3 on the page of the 50k groups', first),
  ];
}

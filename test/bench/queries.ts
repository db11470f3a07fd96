// What is asked: each query with its variants, taken from the data set, and the goals that are set for it.
import type { RunSql } from './run-sql.ts';

/** What a variant asks about; each contender writes it in its own language. `page` counts pages of 50 groups. */
export type Variant = {
  tenant: string;
  group?: string;
  user?: string;
  ids?: string[];
  page?: number;
  search?: string;
};

export type Query = {
  id: string;
  title: string;
  /** At least this many times PostGraphile, and of the limit. */
  goals?: { postgraphile?: number; limit?: number };
  variants: Variant[];
};

/** Pages of 50 groups that the contenders walk before the measurement, to know their cursors: up to the 100th. */
export const PAGES = 101;

/** All queries, with variants that the data set has. */
export async function readQueries(run: RunSql, depth: number): Promise<Query[]> {
  const ids = async (sql: string) => (await run(sql)).map((row) => row.id as string);
  const [tenant] = await ids('select id from bench.tenants where t = 0');
  const groups = await ids('select id from bench.groups where t = 0 and n > 100 order by md5(id) limit 100');
  const reaching = (low: number, high: number, limit: number, from: string) => `
    select g.id from (select id from bench.groups where t = 0 and ${from}) g
    cross join lateral (
      with recursive reach(id) as (
        select g.id union select n.child_group_id from reach join nestings n
          on n.tenant_id = '${tenant}' and n.parent_group_id = reach.id)
      select count(distinct m.user_id) as n from reach join memberships m
        on m.tenant_id = '${tenant}' and m.group_id = reach.id) r
    where r.n between ${low} and ${high} order by md5(g.id) limit ${limit}`;
  const sparse = await ids(
    reaching(600, 1_500, 40, `level = ${Math.max(0, depth - 6)} and n > 300 and n < 6000`),
  );
  const dense = await ids('select id from bench.groups where t = 0 and n = 0');
  const members = await ids(`
    select u.id from (select id from bench.users where t = 0 and n < 400 order by n) u cross join lateral (
      with recursive up(id) as (
        select group_id from memberships where tenant_id = '${tenant}' and user_id = u.id
        union select n.parent_group_id from up join nestings n on n.tenant_id = '${tenant}' and n.child_group_id = up.id)
      select count(*) as n from up) r where r.n between 150 and 250 order by u.id limit 40`);
  const [{ full } = { full: 0 }] = await run(
    'select count(*)::int / 50 as full from bench.groups where t = 0',
  );
  const pages = Array.from({ length: Math.max(1, Math.min(40, full - 3)) }, (_, at) => at + 2);
  const of = (variants: Omit<Variant, 'tenant'>[]) => variants.map((each) => ({ tenant: tenant!, ...each }));
  const onPages = of(pages.map((page) => ({ page })));
  const firstPage = of([{ page: 0 }]);
  // A small directory has no 100th page: its last full one then.
  const deep = of([{ page: Math.min(PAGES, full) - 1 }]);
  const lists = { postgraphile: 2, limit: 0.85 };
  return [
    {
      id: 'Q1',
      title: 'one group and its member count',
      goals: { postgraphile: 2, limit: 0.6 },
      variants: of(groups.map((group) => ({ group }))),
    },
    { id: 'Q2', title: '50 groups, two counts each', goals: lists, variants: onPages },
    { id: 'Q3', title: '20 groups, 10 members and total each', goals: lists, variants: onPages },
    { id: 'Q4', title: '20 groups × 5 nested × 5 members', goals: lists, variants: onPages },
    {
      id: 'Q5a',
      title: 'effective members, page and total: 30 groups, 1k users',
      goals: { postgraphile: 4 },
      variants: of(sparse.map((group) => ({ group }))),
    },
    {
      id: 'Q5b',
      title: 'the same: 1.4k groups, 95k users',
      goals: { postgraphile: 100 },
      variants: of(dense.map((group) => ({ group }))),
    },
    { id: 'M1', title: 'add a member', goals: { postgraphile: 2 }, variants: of([{}]) },
    { id: 'Q2-big', title: 'Q2 on the page of the 50k groups', variants: firstPage },
    { id: 'Q3-big', title: 'Q3 on the page of the 50k groups', variants: firstPage },
    { id: 'deep', title: '100th page of 50 groups, forward', variants: deep },
    { id: 'deep-back', title: '100th page of 50 groups, backward', variants: deep },
    {
      id: 'search',
      title: 'search on 3 letters, 20 groups and total',
      variants: of(['bad', 'fed', 'ace', 'dad', 'bee', 'add', 'fab', 'cab'].map((search) => ({ search }))),
    },
    {
      id: 'user',
      title: 'effective groups of a user in 200, 20 and total',
      variants: of(members.map((user) => ({ user }))),
    },
    { id: 'REST', title: 'REST: a page of 50 groups by its number, and the total', variants: onPages },
    { id: 'entities', title: '_entities of 100 groups', variants: of([{ ids: groups }]) },
  ];
}

// The directory that is measured: made by the database itself from numbers alone, so that every run has the same.
import type { RunSql } from './run-sql.ts';

export type Sizes = {
  users: number;
  groups: number;
  memberships: number;
  nestings: number;
  /** Groups on a longest path of nesting. */
  depth: number;
  tenants: number;
};

/** Share of everything that the first tenant has: a large customer beside small ones, as in most directories. */
const LARGEST = 0.95;

/** How far membership sizes are skewed: the n-th group has a share of (n + 10)^-0.75, one in two fewer than 25. */
const SKEW = 'power(n + 10, -0.75)';

/** When the directory was made, and from which on its groups got their members: one group a second, and a position each. */
const MADE = `'2026-01-01'::timestamptz`;

/**
 * Fills an empty, migrated database. `bench.users` and `bench.groups` number the rows of each tenant. In the first
 * tenant group 0 reaches about 1,300 groups and nearly every user, through groups 1 and 1 + depth, which hold half
 * of the users each; their names come first.
 */
export async function createDataSet(run: RunSql, sizes: Sizes): Promise<void> {
  for (const statement of statements(sizes)) await run(statement);
}

const idOf = (prefix: string, seed: string) => `'${prefix}_' || substr(md5('${prefix}' || ${seed}), 1, 16)`;
const random = (seed: string) => `('x' || substr(md5(${seed}), 1, 8))::bit(32)::bigint`;

function statements({ users, groups, memberships, nestings, depth, tenants }: Sizes): string[] {
  const share = (total: number) => `(case t when 0 then ceil(${total} * ${LARGEST})
    else floor(${total} * ${1 - LARGEST} / greatest(1, ${tenants} - 1)) end)::int`;
  return [
    // The load checks nothing that its own arithmetic guarantees; the checks of the directory run over it afterwards.
    `set session_replication_role = replica`,
    `set synchronous_commit = off`,
    `create schema bench`,
    `create table bench.tenants as select t, ${idOf('tnt', 't')} as id, ${share(users)} as users, ${share(groups)} as groups,
       ${share(memberships)} as memberships, ${share(nestings)} as nestings from generate_series(0, ${tenants - 1}) t`,
    `insert into partners (id, name) values ('prt_bench', 'Bench')`,
    `insert into tenants (id, partner_id, name, slug) select id, 'prt_bench', 'Tenant ' || t, 'tenant-' || t from bench.tenants`,
    // The log says how far it is, and not what happened: as of a directory that is older than it.
    `insert into tenant_logs (tenant_id, position, at, exact_from)
     select id, groups + 2, ${MADE} + groups * interval '1 second', groups + 2 from bench.tenants`,
    `create table bench.users as select t, n, ${idOf('usr', "t || '.' || n")} collate "C" as id
       from bench.tenants, generate_series(0, users - 1) n`,
    `insert into users (tenant_id, id, email, display_name, search_key, since)
     select t.id, u.id, 'user' || u.n || '@tenant' || t.t || '.example', 'User ' || u.n,
       'user' || u.n || '@tenant' || t.t || '.example' || chr(10) || 'user ' || u.n, 1
     from bench.users u join bench.tenants t using (t) order by t.id, u.id`,
    `create table bench.groups as
     select t, n, ${idOf('grp', "t || '.' || n")} collate "C" as id, n % ${depth} as level,
       case when n in (1, 1 + ${depth}) then 'All staff ' || n when n = 0 then 'All of it'
         else (array['Team', 'Project', 'Site', 'Squad'])[1 + n % 4] || ' ' || substr(md5('name' || n), 1, 10) end as name,
       case when n in (1, 1 + ${depth}) then users / 2
         else greatest(1, floor(${SKEW} * (memberships - users) / sum(${SKEW}) over (partition by t)))::int end as size
     from bench.tenants, generate_series(0, groups - 1) n`,
    `insert into groups (tenant_id, id, parent_group_id, name, name_key, search_key, type)
     select t.id, g.id, p.id, g.name, lower(g.name), lower(g.name), (case g.n % 3 when 0 then 'DISTRIBUTION' else 'SECURITY' end)::"GroupType"
     from bench.groups g join bench.tenants t using (t)
     left join bench.groups p on p.t = g.t and p.n = g.n / 100 and g.n >= 100 order by t.id, g.id`,
    `insert into ids (id, tenant_id) select id, tenant_id from users union all select id, tenant_id from groups order by 1`,
    // 7919 is prime: strides of it meet each user once before any twice.
    // An index is built over a million rows in a tenth of the time that as many inserts take to keep it.
    `create table bench.indexes as select pg_get_indexdef(indexrelid) as definition, indexrelid::regclass::text as name
       from pg_index where indrelid = 'memberships'::regclass and not indisprimary`,
    `do $$ declare i record; begin for i in select * from bench.indexes loop execute 'drop index ' || i.name; end loop; end $$`,
    `insert into memberships (tenant_id, group_id, user_id, since, added_at, added_by)
     select t.id, g.id, u.id, g.n + 2, ${MADE} + g.n * interval '1 second', 'bench'
     from bench.groups g join bench.tenants t using (t)
     cross join lateral (select case g.n when 1 then 0 when 1 + ${depth} then t.users / 2
       else ${random("'start' || g.n")} % t.users end as start) s
     cross join generate_series(0, least(g.size, t.users) - 1) j
     join bench.users u on u.t = g.t and u.n = (s.start + j * (case g.n when 1 then 1 when 1 + ${depth} then 1 else 7919 end)::bigint) % t.users
     order by t.id, g.id, u.id`,
    `do $$ declare i record; begin for i in select * from bench.indexes loop execute i.definition; end loop; end $$`,
    `insert into nestings (tenant_id, parent_group_id, child_group_id, since, created_at, created_by)
     select t.id, p.id, c.id, t.groups + 2, ${MADE} + t.groups * interval '1 second', 'bench' from (
       select distinct t, p, p % ${depth} + 1 + block * ${depth} as c from (
         select t, ${random("'p' || t || '.' || k")} % groups as p,
           ${random("'c' || t || '.' || k")} % greatest(1, groups / ${depth}) as block
         from bench.tenants, generate_series(0, nestings * ${depth} / ${depth - 1}) k) drawn
       where p % ${depth} < ${depth - 1}) e
     join bench.tenants t using (t) join bench.groups p on p.t = e.t and p.n = e.p join bench.groups c on c.t = e.t and c.n = e.c
     on conflict do nothing`,
    `insert into nestings (tenant_id, parent_group_id, child_group_id, since, created_at, created_by)
     select t.id, p.id, c.id, t.groups + 2, ${MADE} + t.groups * interval '1 second', 'bench'
     from bench.tenants t join bench.groups p on p.t = t.t and p.n = 0
     join bench.groups c on c.t = t.t and c.n in (1, 1 + ${depth}, 1 + 2 * ${depth}, 1 + 3 * ${depth})
     on conflict do nothing`,
    `update groups g set member_count = m.n
     from (select tenant_id, group_id, count(*)::int as n from memberships group by 1, 2) m
     where m.tenant_id = g.tenant_id and m.group_id = g.id`,
    `set session_replication_role = origin`,
    `create index on bench.users (t, n)`,
    `create index on bench.groups (t, n)`,
    `vacuum analyze`,
  ];
}

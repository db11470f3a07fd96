// The SQL that the limit and mercurius share: a statement an answer, as whoever knows the tables would write it.
const MEMBERS = (
  limit: number,
) => `select u.id, u.email from memberships m join users u on u.tenant_id = $1 and u.id = m.user_id
  where m.tenant_id = $1 and m.group_id = g.id order by m.user_id limit ${limit}`;
const GROUPS = `select id, name, name_key, member_count from groups where tenant_id = $1 and deleted_at is null
  and (name_key, id) > ($3, $4) order by name_key, id limit $2`;
const REACH = `with recursive reach(id) as (
  select $2::text collate "C" union
  select n.child_group_id from reach join nestings n on n.tenant_id = $1 and n.parent_group_id = reach.id)`;
const UP = `with recursive up(id) as (select group_id from memberships where tenant_id = $1 and user_id = $2
  union select n.parent_group_id from up join nestings n on n.tenant_id = $1 and n.child_group_id = up.id)`;

// biome-ignore lint/suspicious/noExplicitAny: variables as each statement has them.
type Any = any;
export type Statement = { sql: string; values(variables: Any): unknown[] };

const split = (cursor: string) => (cursor.includes('\n') ? cursor.split('\n') : [cursor, '']);
const page = ({ tenant, first, after }: Any) => [tenant, first, ...split(after)];
const one = ({ tenant, id }: Any) => [tenant, id];

export const READS = {
  Q1: {
    sql: 'select id, name, member_count from groups where tenant_id = $1 and id = $2 and deleted_at is null',
    values: one,
  },
  Q2: {
    sql: `select g.*, (select count(*)::int from nestings where tenant_id = $1 and parent_group_id = g.id) as nested
      from (${GROUPS}) g order by name_key, id`,
    values: page,
  },
  Q3: {
    sql: `select g.id, g.name, g.member_count, m.id as user_id, m.email
      from (${GROUPS}) g left join lateral (${MEMBERS(10)}) m on true order by g.name_key, g.id, m.id`,
    values: page,
  },
  Q4: {
    sql: `select p.id as parent_id, p.name as parent_name, g.id, g.name, m.id as user_id, m.email from (${GROUPS}) p
      left join lateral (select c.id, c.name, c.name_key from nestings n
        join groups c on c.tenant_id = $1 and c.id = n.child_group_id
        where n.tenant_id = $1 and n.parent_group_id = p.id order by c.name_key, c.id limit 5) g on true
      left join lateral (${MEMBERS(5)}) m on true order by p.name_key, p.id, g.name_key, g.id, m.id`,
    values: page,
  },
  Q5: {
    sql: `${REACH}, members as materialized (select m.user_id from reach join memberships m
        on m.tenant_id = $1 and m.group_id = reach.id group by 1)
      select u.id as user_id, u.email, (select count(*)::int from members) as total
      from (select user_id from members order by 1 limit 20) m join users u on u.tenant_id = $1 and u.id = m.user_id order by u.id`,
    values: one,
  },
  page: { sql: GROUPS, values: page },
  pageBack: {
    sql: `select * from (select id, name, name_key from groups where tenant_id = $1 and deleted_at is null
      and (name_key, id) < ($3, $4) order by name_key desc, id desc limit $2) g order by name_key, id`,
    values: page,
  },
  numbered: {
    sql: `select g.*, (select count(*)::int from groups where tenant_id = $1 and deleted_at is null) as total
      from (select id, name, type::text, parent_group_id, member_count, name_key from groups
        where tenant_id = $1 and deleted_at is null order by name_key, id limit 50 offset $2::int) g order by name_key, id`,
    values: ({ tenant, offset }) => [tenant, offset],
  },
  search: {
    sql: `with found as materialized (
        select id, name, name_key from groups where tenant_id = $1 and deleted_at is null and search_key like $2)
      select id, name, (select count(*)::int from found) as total from found order by name_key, id limit 20`,
    values: ({ tenant, search }) => [tenant, search],
  },
  user: {
    sql: `${UP}, found as materialized (select g.id, g.name, g.name_key from up
        join groups g on g.tenant_id = $1 and g.id = up.id where g.deleted_at is null)
      select id, name, (select count(*)::int from found) as total from found order by name_key, id limit 20`,
    values: one,
  },
  entities: {
    sql: `select g.id, g.name, g.type::text from unnest($2::text[]) with ordinality k(id, o)
      join groups g on g.tenant_id = $1 and g.id = k.id where g.deleted_at is null order by k.o`,
    values: ({ tenant, ids }) => [tenant, ids],
  },
} satisfies Record<string, Statement>;

/** Adds a member and appends the change to the log in one transaction, as Coterie does. */
const M1 = `with log as (update tenant_logs set position = position + 1, change_id = gen_random_uuid(),
      at = greatest(at, clock_timestamp()) where tenant_id = $1 returning position, change_id, at),
    added as (insert into memberships (tenant_id, group_id, user_id, since, added_at, added_by)
      select g.tenant_id, g.id, $3, log.position, log.at, 'bench' from log, groups g
      where g.tenant_id = $1 and g.id = $2 and g.deleted_at is null on conflict do nothing returning group_id, user_id),
    counted as (update groups g set member_count = g.member_count + 1 from added
      where g.tenant_id = $1 and g.id = added.group_id)
  insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, group_id, user_ids, data)
  select $1, position, 0, change_id, at, 'group_membership.added', 'bench', 'user', group_id, array[user_id], '{}'
  from log, added`;

/**
 * Writes of the rows alone: no log, no history, no check for cycles. $1 is the tenant, $2 and $3 what the write names, $4 the
 * e-mail of a user. PostGraphile gets a function of each.
 */
export const WRITES = {
  M1,
  add: `with added as (insert into memberships (tenant_id, group_id, user_id, since, added_at, added_by)
      values ($1, $2, $3, 0, now(), 'row') on conflict do nothing returning group_id)
    update groups g set member_count = g.member_count + 1 from added where g.tenant_id = $1 and g.id = added.group_id`,
  remove: `with removed as (delete from memberships where tenant_id = $1 and group_id = $2 and user_id = $3 returning group_id)
    update groups g set member_count = g.member_count - 1 from removed where g.tenant_id = $1 and g.id = removed.group_id`,
  nest: `insert into nestings (tenant_id, parent_group_id, child_group_id, since, created_at, created_by)
    values ($1, $2, $3, 0, now(), 'row') on conflict do nothing`,
  unnest: 'delete from nestings where tenant_id = $1 and parent_group_id = $2 and child_group_id = $3',
  rename: `update groups set name = $3::text, name_key = lower($3::text), search_key = lower($3::text), version = version + 1,
    updated_at = now() where tenant_id = $1 and id = $2`,
  upsert: `insert into users (tenant_id, id, email, display_name, search_key, since)
    values ($1, $2, $4::text, $3::text, lower($4::text) || chr(10) || lower($3::text), 0)
    on conflict (tenant_id, id) do update set email = excluded.email, display_name = excluded.display_name,
      search_key = excluded.search_key, updated_at = now()`,
};

export type WriteKind = keyof typeof WRITES;
/** A write of the rows: of the group or user `target`, with another id or a name. */
export type Write = { kind: WriteKind; tenant: string; target: string; value: string; email?: string };

export const valuesOf = ({ tenant, target, value, email }: Write): string[] =>
  email === undefined ? [tenant, target, value] : [tenant, target, value, email];

/** The function of each write, for PostGraphile. */
export const writeFunctions = (): string =>
  Object.entries(WRITES)
    .map(
      ([
        kind,
        sql,
      ]) => `create function write_${kind.toLowerCase()}(tenant text, target text, value text, email text) returns text
        volatile language sql as $$ ${sql}; select 'done' $$;`,
    )
    .join('\n');

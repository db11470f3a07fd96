// The limit: node:http, one prepared statement that gives rows, and JSON made by hand. No token, no checks, no GraphQL.
import { createServer } from 'node:http';
import pg from 'pg';

const { DATABASE_URL, PORT } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });

const MEMBERS = (
  limit: number,
) => `select u.id, u.email from memberships m join users u on u.tenant_id = $1 and u.id = m.user_id
  where m.tenant_id = $1 and m.group_id = g.id order by m.user_id limit ${limit}`;
const GROUPS = `select id, name, name_key from groups where tenant_id = $1 and deleted_at is null
  and (name_key, id) > ($3, $4) order by name_key, id limit $2`;
const REACH = `with recursive reach(id) as (
  select $2::text collate "C" union
  select n.child_group_id from reach join nestings n on n.tenant_id = $1 and n.parent_group_id = reach.id)`;
const UP = `with recursive up(id) as (select group_id from memberships where tenant_id = $1 and user_id = $2
  union select n.parent_group_id from up join nestings n on n.tenant_id = $1 and n.child_group_id = up.id)`;

// biome-ignore lint/suspicious/noExplicitAny: rows and variables as each statement has them.
type Any = any;
type Handler = { sql: string; values(variables: Any): unknown[]; json(rows: Any[]): string };

const s = JSON.stringify;
const idAndName = ({ id, name }: Any) => `[${s(id)},${s(name)}]`;
const page = ({ tenant, first, after }: Any) => [tenant, first, ...split(after)];
const split = (cursor: string) => (cursor.includes('\n') ? cursor.split('\n') : [cursor, '']);
const all = (rows: Any[], one: (row: Any) => string) => `[${rows.map(one).join(',')}]`;
const pairs = (rows: Any[]) => all(rows, (row) => `[${s(row.user_id)},${s(row.email)}]`);
const withTotal = (rows: Any[], one: (row: Any) => string) => `[${rows[0]?.total ?? 0},${all(rows, one)}]`;

/** Rows that came in the order of their group, as [group, its rows]. */
function* grouped(rows: Any[], key: string): Generator<Any[]> {
  for (let at = 0; at < rows.length; ) {
    let end = at + 1;
    while (end < rows.length && rows[end][key] === rows[at][key]) end += 1;
    yield rows.slice(at, end);
    at = end;
  }
}
const given = (rows: Any[]) => rows.filter((row) => row.user_id !== null);

const HANDLERS: Record<string, Handler> = {
  Q1: {
    sql: `select id, name, (select count(*)::int from memberships where tenant_id = $1 and group_id = g.id) as n from groups g
      where tenant_id = $1 and id = $2 and deleted_at is null`,
    values: ({ tenant, id }) => [tenant, id],
    json: ([row]) => `[${s(row.id)},${s(row.name)},${row.n}]`,
  },
  Q2: {
    sql: `select id, name, (select count(*)::int from memberships where tenant_id = $1 and group_id = g.id) as members,
      (select count(*)::int from nestings where tenant_id = $1 and parent_group_id = g.id) as nested from (${GROUPS}) g order by name_key, id`,
    values: page,
    json: (rows) => all(rows, (row) => `[${s(row.id)},${s(row.name)},${row.members},${row.nested}]`),
  },
  Q3: {
    sql: `select g.id, g.name, (select count(*)::int from memberships where tenant_id = $1 and group_id = g.id) as total,
        m.id as user_id, m.email
      from (${GROUPS}) g left join lateral (${MEMBERS(10)}) m on true order by g.name_key, g.id`,
    values: page,
    json: (rows) =>
      all(
        [...grouped(rows, 'id')],
        (of) => `[${s(of[0].id)},${s(of[0].name)},${of[0].total},${pairs(given(of))}]`,
      ),
  },
  Q4: {
    sql: `select p.id as parent_id, p.name as parent_name, g.id, g.name, m.id as user_id, m.email from (${GROUPS}) p
      left join lateral (select c.id, c.name, c.name_key from nestings n
        join groups c on c.tenant_id = $1 and c.id = n.child_group_id
        where n.tenant_id = $1 and n.parent_group_id = p.id order by c.name_key, c.id limit 5) g on true
      left join lateral (${MEMBERS(5)}) m on true order by p.name_key, p.id, g.name_key, g.id`,
    values: page,
    json: (rows) =>
      all([...grouped(rows, 'parent_id')], (of) => {
        const nested = [...grouped(of, 'id')].filter(([row]) => row.id !== null);
        return `[${s(of[0].parent_id)},${s(of[0].parent_name)},${all(nested, (group) => `[${s(group[0].id)},${s(group[0].name)},${pairs(given(group))}]`)}]`;
      }),
  },
  Q5: {
    sql: `${REACH}, members as materialized (select m.user_id from reach join memberships m
        on m.tenant_id = $1 and m.group_id = reach.id group by 1)
      select u.id as user_id, u.email, (select count(*)::int from members) as total
      from (select user_id from members order by 1 limit 20) m join users u on u.tenant_id = $1 and u.id = m.user_id order by u.id`,
    values: ({ tenant, id }) => [tenant, id],
    json: (rows) => `[${rows[0]?.total ?? 0},${pairs(rows)}]`,
  },
  page: { sql: `${GROUPS}`, values: page, json: (rows) => all(rows, idAndName) },
  pageBack: {
    sql: `select * from (select id, name, name_key from groups where tenant_id = $1 and deleted_at is null
      and (name_key, id) < ($3, $4) order by name_key desc, id desc limit $2) g order by name_key, id`,
    values: page,
    json: (rows) => all(rows, idAndName),
  },
  numbered: {
    sql: `select g.*, (select count(*)::int from memberships where tenant_id = $1 and group_id = g.id) as members,
        (select count(*)::int from groups where tenant_id = $1 and deleted_at is null) as total
      from (select id, name, type::text, parent_group_id, name_key from groups where tenant_id = $1 and deleted_at is null
        order by name_key, id limit 50 offset $2::int) g order by name_key, id`,
    values: ({ tenant, offset }) => [tenant, offset],
    json: (rows) =>
      withTotal(
        rows,
        ({ id, name, type, members, parent_group_id }) =>
          `[${s(id)},${s(name)},${s(type)},${members},${s(parent_group_id)}]`,
      ),
  },
  search: {
    sql: `with found as materialized (select id, name, name_key from groups where tenant_id = $1 and deleted_at is null and search_key like $2)
      select id, name, (select count(*)::int from found) as total from found order by name_key, id limit 20`,
    values: ({ tenant, search }) => [tenant, search],
    json: (rows) => withTotal(rows, idAndName),
  },
  user: {
    sql: `${UP}, found as materialized (select g.id, g.name, g.name_key from up
        join groups g on g.tenant_id = $1 and g.id = up.id where g.deleted_at is null)
      select id, name, (select count(*)::int from found) as total from found order by name_key, id limit 20`,
    values: ({ tenant, id }) => [tenant, id],
    json: (rows) => withTotal(rows, idAndName),
  },
  entities: {
    sql: `select g.id, g.name, g.type::text from unnest($2::text[]) with ordinality k(id, o)
      join groups g on g.tenant_id = $1 and g.id = k.id where g.deleted_at is null order by k.o`,
    values: ({ tenant, ids }) => [tenant, ids],
    json: (rows) => all(rows, (row) => `[${s(row.id)},${s(row.name)},${s(row.type)}]`),
  },
  M1: {
    sql: `with log as (update tenant_logs set position = position + 1, change_id = gen_random_uuid(),
          at = greatest(at, clock_timestamp()) where tenant_id = $1 returning position, change_id, at),
        added as (insert into memberships (tenant_id, group_id, user_id, since, added_at, added_by)
          select g.tenant_id, g.id, $3, log.position, log.at, 'bench' from log, groups g
          where g.tenant_id = $1 and g.id = $2 and g.deleted_at is null on conflict do nothing returning group_id, user_id)
      insert into changes (tenant_id, position, ordinal, change_id, at, type, actor_id, actor_type, group_id, user_ids, data)
      select $1, position, 0, change_id, at, 'group_membership.added', 'bench', 'user', group_id, array[user_id], '{}'
      from log, added returning group_id`,
    values: ({ tenant, group, user }) => [tenant, group, user],
    json: (rows) => String(rows.length),
  },
};

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const name = request.url!.slice(1);
    const handler = HANDLERS[name];
    if (!handler) return response.writeHead(404).end();
    const { sql, values, json } = handler;
    try {
      const { rows } = await pool.query({
        name,
        text: sql,
        values: values(JSON.parse(Buffer.concat(chunks).toString())),
      });
      const body = Buffer.from(`{"data":${json(rows)}}`);
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
      response.end(body);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
});
server.listen(Number(PORT), '127.0.0.1');

// What a good team would write itself: mercurius, compiled queries, loaders with hand-written SQL. It checks no token.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import pg from 'pg';
import { READS, type Statement, valuesOf, WRITES, type Write } from './statements.ts';

const { DATABASE_URL, PORT } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });

// biome-ignore lint/suspicious/noExplicitAny: rows and arguments as each statement has them.
type Any = any;
const query = async (name: string, text: string, values: unknown[]): Promise<Any[]> =>
  (await pool.query({ name, text, values })).rows;
const read = (name: keyof typeof READS) => (_: unknown, args: Any) =>
  query(name, READS[name].sql, (READS[name] as Statement).values(args));

const schema = `
  type Group { id: ID! name: String! type: String! memberCount: Int! parentGroupId: ID cursor: String!
    nestedGroupCount: Int! nestedGroups(first: Int!): [Group!]! members(first: Int!): [User!]! }
  type User { userId: ID! email: String! }
  type Groups { totalCount: Int! nodes: [Group!]! }
  type Users { totalCount: Int! nodes: [User!]! }
  type Query {
    group(tenant: ID!, id: ID!): Group
    groups(tenant: ID!, first: Int!, after: String!): [Group!]!
    groupsBefore(tenant: ID!, first: Int!, after: String!): [Group!]!
    numberedGroups(tenant: ID!, offset: Int!): Groups!
    search(tenant: ID!, search: String!): Groups!
    effectiveMembers(tenant: ID!, id: ID!): Users!
    effectiveGroups(tenant: ID!, id: ID!): Groups!
    groupsByIds(tenant: ID!, ids: [ID!]!): [Group!]!
  }
  type Mutation { write(kind: String!, tenant: ID!, target: ID!, value: String!, email: String): Boolean! }`;

const rename = ({ user_id, member_count, parent_group_id, name_key, ...row }: Any, tenant?: string) => ({
  ...row,
  tenant,
  userId: user_id,
  memberCount: member_count,
  parentGroupId: parent_group_id,
  cursor: `${name_key}\n${row.id}`,
});
const list =
  (name: keyof typeof READS) =>
  async (_: unknown, args: Any): Promise<Any[]> =>
    (await read(name)(_, args)).map((row) => rename(row, args.tenant));
const counted = (name: keyof typeof READS) => async (_: unknown, args: Any) => {
  const nodes = await list(name)(_, args);
  return { totalCount: nodes[0]?.total ?? 0, nodes };
};

/** A loader: one statement for all parents of a tenant, its rows told apart by `o`, the number of the parent. */
const loader = (name: string, sql: string) => async (asked: { obj: Any; params: Any }[]) => {
  const { obj, params } = asked[0]!;
  const values = [obj.tenant, asked.map((each) => each.obj.id), params.first].slice(
    0,
    sql.includes('$3') ? 3 : 2,
  );
  const found: Any[][] = asked.map(() => []);
  for (const row of await query(name, sql, values)) found[row.o - 1]!.push(rename(row, obj.tenant));
  return found;
};
const PARENTS = 'unnest($2::text[]) with ordinality k(id, o) cross join lateral';
const members = loader(
  'members',
  `select k.o::int, u.* from ${PARENTS} (select u.id as user_id, u.email from memberships m
    join users u on u.tenant_id = $1 and u.id = m.user_id
    where m.tenant_id = $1 and m.group_id = k.id order by m.user_id limit $3) u order by k.o, u.user_id`,
);
const nestedGroups = loader(
  'nestedGroups',
  `select k.o::int, g.* from ${PARENTS} (select c.id, c.name, c.name_key from nestings n
    join groups c on c.tenant_id = $1 and c.id = n.child_group_id
    where n.tenant_id = $1 and n.parent_group_id = k.id order by c.name_key, c.id limit $3) g order by k.o, g.name_key, g.id`,
);
const nestedCounts = loader(
  'nestedCounts',
  `select k.o::int, c.* from ${PARENTS} (select count(*)::int as n from nestings n
    where n.tenant_id = $1 and n.parent_group_id = k.id) c order by k.o`,
);

const app = Fastify();
await app.register(mercurius, {
  schema,
  jit: 1,
  resolvers: {
    Query: {
      group: async (_: unknown, args: Any) => (await list('Q1')(_, args))[0],
      groups: list('page'),
      groupsBefore: list('pageBack'),
      numberedGroups: counted('numbered'),
      search: counted('search'),
      effectiveMembers: counted('Q5'),
      effectiveGroups: counted('user'),
      groupsByIds: list('entities'),
    },
    Mutation: {
      async write(_: unknown, write: Any) {
        await query(write.kind, WRITES[(write as Write).kind], valuesOf(write));
        return true;
      },
    },
  },
  // Answers are not cached: each request reads what it answers with.
  loaders: {
    Group: {
      members: { loader: members, opts: { cache: false } },
      nestedGroups: { loader: nestedGroups, opts: { cache: false } },
      nestedGroupCount: {
        loader: async (asked: Any) => (await nestedCounts(asked)).map(([row]) => row.n),
        opts: { cache: false },
      },
    },
  },
} as Any);
await app.listen({ port: Number(PORT), host: '127.0.0.1' });

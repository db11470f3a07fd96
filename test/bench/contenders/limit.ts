// The limit: node:http, one prepared statement that gives rows, and JSON made by hand. No token, no checks, no GraphQL.
import { createServer } from 'node:http';
import pg from 'pg';
import { READS, type Statement, valuesOf, WRITES, type Write } from './statements.ts';

const { DATABASE_URL, PORT } = process.env;
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });

// biome-ignore lint/suspicious/noExplicitAny: rows as each statement has them.
type Any = any;

const s = JSON.stringify;
const idAndName = ({ id, name }: Any) => `[${s(id)},${s(name)}]`;
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

/** The JSON of each read's rows. */
const JSON_OF: Record<keyof typeof READS, (rows: Any[]) => string> = {
  Q1: ([row]) => `[${s(row.id)},${s(row.name)},${row.member_count}]`,
  Q2: (rows) => all(rows, (row) => `[${s(row.id)},${s(row.name)},${row.member_count},${row.nested}]`),
  Q3: (rows) =>
    all(
      [...grouped(rows, 'id')],
      (of) => `[${s(of[0].id)},${s(of[0].name)},${of[0].member_count},${pairs(given(of))}]`,
    ),
  Q4: (rows) =>
    all([...grouped(rows, 'parent_id')], (of) => {
      const nested = [...grouped(of, 'id')].filter(([row]) => row.id !== null);
      return `[${s(of[0].parent_id)},${s(of[0].parent_name)},${all(nested, (group) => `[${s(group[0].id)},${s(group[0].name)},${pairs(given(group))}]`)}]`;
    }),
  Q5: (rows) => `[${rows[0]?.total ?? 0},${pairs(rows)}]`,
  page: (rows) => all(rows, idAndName),
  pageBack: (rows) => all(rows, idAndName),
  numbered: (rows) =>
    withTotal(
      rows,
      ({ id, name, type, member_count, parent_group_id }) =>
        `[${s(id)},${s(name)},${s(type)},${member_count},${s(parent_group_id)}]`,
    ),
  search: (rows) => withTotal(rows, idAndName),
  user: (rows) => withTotal(rows, idAndName),
  entities: (rows) => all(rows, (row) => `[${s(row.id)},${s(row.name)},${s(row.type)}]`),
};

type Handler = Statement & { json(rows: Any[]): string };
const HANDLERS: Record<string, Handler> = Object.fromEntries([
  ...Object.entries(READS).map(([name, statement]) => [
    name,
    { ...statement, json: JSON_OF[name as keyof typeof READS] },
  ]),
  ...Object.entries(WRITES).map(([name, sql]) => [
    name,
    { sql, values: (write: Write) => valuesOf(write), json: () => 'true' },
  ]),
]);

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

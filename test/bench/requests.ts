// Requests of one contender for one query: its variants in turn, or new members without end.
import type { Contender } from './contenders.ts';
import { requestBytes } from './load.ts';
import type { Ask } from './operations/operations.ts';
import { PAGES, type Query } from './queries.ts';
import type { RunSql } from './run-sql.ts';

/** Asks once and gives the answer; throws for one that is not well. */
export async function askOnce({ port, headers }: Contender, { path, body }: Ask): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.text();
  const answer = JSON.parse(text) as { errors?: unknown };
  if (response.status !== 200 || answer.errors) throw new Error(`${response.status} ${text.slice(0, 1_000)}`);
  return answer;
}

/** Its cursors of the first pages, walked one by one as a client would. */
export async function walkPages(contender: Contender, tenant: string, pages = PAGES): Promise<string[]> {
  const { operations } = contender;
  const cursors: string[] = [];
  while (cursors.length < pages) {
    cursors.push(
      operations.cursor(await askOnce(contender, operations.walk(tenant, cursors.at(-1) ?? null))),
    );
  }
  return cursors;
}

/** The bytes of the query's requests in turn; null where the contender has no such query. */
export function readRequests(
  { operations, headers }: Contender,
  { id, variants }: Query,
  cursors: string[],
): (() => Buffer) | null {
  const asked = variants.map((variant) => operations.ask(id, variant, cursors));
  if (asked.includes(null)) return null;
  const requests = asked.map((ask) => requestBytes(ask!.path, ask!.body, headers));
  let at = 0;
  return () => requests[at++ % requests.length]!;
}

/** Groups that members are added to: enough that two requests rarely meet in one. */
const TARGETS = 1_000;

export type Additions = { next(contender: Contender): Buffer; clear(run: RunSql): Promise<void> };

/** New members without end, none twice; `clear` takes them away again, so that every round starts alike. */
export async function memberAdditions(run: RunSql): Promise<Additions> {
  const groups = await run(
    `select id from bench.groups where t = 0 and n > 100 order by n desc limit ${TARGETS}`,
  );
  const users = await run('select id from bench.users where t = 0 order by n');
  const [tenant] = await run('select id from bench.tenants where t = 0');
  let at = 0;
  return {
    next({ operations, headers }) {
      const group = groups[at % groups.length]!;
      const user = users[Math.floor(at++ / groups.length) % users.length]!;
      const { path, body } = operations.addMember({ tenant: tenant!.id, group: group.id, user: user.id });
      return requestBytes(path, body, headers);
    },
    async clear(again) {
      await again(`delete from memberships where added_by <> 'bench' or added_at > '2026-06-01'`);
      await again(`update groups g set member_count = (
          select count(*)::int from memberships m where m.tenant_id = g.tenant_id and m.group_id = g.id)
        where tenant_id = '${tenant!.id}'`);
      // The head is of another history then: nothing that was cached before is valid.
      await again(`delete from changes where tenant_id = '${tenant!.id}'`);
      await again(`update tenant_logs set position = position + 1, change_id = gen_random_uuid(), exact_from = position + 1
        where tenant_id = '${tenant!.id}'`);
      await again('vacuum analyze memberships');
      await again('vacuum analyze groups');
      at = 0;
    },
  };
}

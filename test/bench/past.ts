// `npm run bench -- past`: what a page as of a year ago takes, and the same page now, of a directory of which half has changed since.
import { openDatabase } from '../../src/database/open.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import {
  countEffectiveMembers,
  hasEffectiveMember,
  listEffectiveMembers,
} from '../../src/domain/queries/effective-members.ts';
import { findGroup, listGroups } from '../../src/domain/queries/groups.ts';
import { childGroups } from '../../src/domain/queries/hierarchy.ts';
import { listMembers } from '../../src/domain/queries/members.ts';
import { explainMembership } from '../../src/domain/queries/membership-explanations.ts';
import { nestedGroups, parentGroups } from '../../src/domain/queries/nesting.ts';
import { effectiveGroups } from '../../src/domain/queries/user-groups.ts';
import { listUsers } from '../../src/domain/queries/users.ts';
import type { TenantId } from '../../src/model/ids.ts';
import { say } from './measure.ts';
import type { Options } from './options.ts';
import { startServer } from './postgresql.ts';
import { prepare } from './prepare.ts';
import { median } from './report.ts';
import { onServer, type RunSql } from './run-sql.ts';

/** Half of the edges, groups and users of the largest tenant change: each at a position of its own. Returns the one before. */
export async function change(
  run: RunSql,
): Promise<{ tenant: string; position: number; users: string[]; groups: string[] }> {
  const [log] = await run(`select l.tenant_id as tenant, l.position::int as position from tenant_logs l
    join bench.tenants t on t.id = l.tenant_id where t.t = 0`);
  const { tenant, position } = log!;
  const half = (key: string) => `('x' || substr(md5(${key}), 1, 4))::bit(16)::int % 2 = 0`;
  const at = (key: string) => `${position} + 1 + ('x' || substr(md5(${key}), 1, 7))::bit(28)::int % 100000`;
  const edge = 'group_id || user_id';
  const nesting = 'parent_group_id || child_group_id';
  for (const statement of [
    'set session_replication_role = replica',
    `insert into membership_history (tenant_id, group_id, user_id, since, until, added_at, added_by, ended_at, ended_by, cause)
     select tenant_id, group_id, user_id, since, ${at(edge)}, added_at, added_by, now(), 'bench', 'REMOVED'
     from memberships where tenant_id = '${tenant}' and ${half(edge)}`,
    // Who leaves comes again, so that the present is as large as the past.
    `update memberships set since = ${at(edge)} + 1 where tenant_id = '${tenant}' and ${half(edge)}`,
    `insert into nesting_history (tenant_id, parent_group_id, child_group_id, since, until, created_at, created_by, ended_at,
       ended_by, cause)
     select tenant_id, parent_group_id, child_group_id, since, ${at(nesting)}, created_at, created_by, now(), 'bench', 'REMOVED'
     from nestings where tenant_id = '${tenant}' and ${half(nesting)}`,
    `update nestings set since = ${at(nesting)} + 1 where tenant_id = '${tenant}' and ${half(nesting)}`,
    `insert into group_history (tenant_id, id, since, until, parent_group_id, name, name_key, search_key, description, type,
       custom_attributes, version, created_at, updated_at)
     select tenant_id, id, version_since, ${at('id')}, parent_group_id, name, name_key, search_key, description, type,
       custom_attributes, version, created_at, updated_at from groups where tenant_id = '${tenant}' and ${half('id')}`,
    `update groups set version_since = ${at('id')}, version = 2 where tenant_id = '${tenant}' and ${half('id')}`,
    `insert into user_history (tenant_id, id, since, until, created_since, email, display_name, search_key)
     select tenant_id, id, version_since, ${at('id')}, since, email, display_name, search_key
     from users where tenant_id = '${tenant}' and ${half('id')}`,
    `update users set version_since = ${at('id')} where tenant_id = '${tenant}' and ${half('id')}`,
    `update tenant_logs set position = position + 200000, exact_from = 0 where tenant_id = '${tenant}'`,
    'set session_replication_role = origin',
    'vacuum analyze',
  ])
    await run(statement);
  const ids = async (table: string) =>
    (await run(`select id from bench.${table} where t = 0 order by random()`)).map((row) => row.id as string);
  return { tenant, position, users: await ids('users'), groups: await ids('groups') };
}

type Read = (
  directory: Directory,
  key: { group: string; user: string; tenantId: string },
) => Promise<unknown>;
const page = { first: 20 };
const READS: Record<string, Read> = {
  'a group': (directory, { group }) => findGroup(directory, group),
  'groups, by name': (directory) => listGroups(directory, { page }),
  'children of a group': (directory, { group }) => childGroups.page(directory, group, { page }),
  'direct members': (directory, { group }) => listMembers(directory, group, { page }),
  'nested groups': (directory, { group }) => nestedGroups.page(directory, group, { page }),
  'parent groups': (directory, { group }) => parentGroups.page(directory, group, { page }),
  'effective members': (directory, { group }) => listEffectiveMembers(directory, group, { page }),
  'number of effective members': (directory, { group }) => countEffectiveMembers(directory, group),
  'is an effective member': (directory, { group, user }) => hasEffectiveMember(directory, group, user),
  "a user's effective groups": (directory, { user }) => effectiveGroups.page(directory, user, { page }),
  users: (directory, { tenantId }) => listUsers(directory, { tenantId, page }),
  'why is a user a member': (directory, { group, user }) =>
    explainMembership(directory, { groupId: group, userId: user }),
};

/** Prints the median time of each read, now and then, with keys drawn at random from the tenant, each asked once. */
export async function past({ sizes, rounds, keep }: Options): Promise<void> {
  const server = await startServer(keep);
  try {
    await prepare(server, sizes);
    const { tenant, position, users, groups } = await onServer(server.url, change);
    const tenantId = tenant as TenantId;
    const database = await openDatabase({ url: server.url, dataDir: '', timeouts: {} });
    const caller = {
      role: 'TENANT_ADMIN',
      subject: 'usr_bench',
      visibility: { kind: 'tenant', tenantId },
      mayChange: false,
    } as const;
    const samples = Math.min(rounds * 50, users.length, groups.length);
    say(`${samples} random keys each, as of position ${position}, half of the directory changed since`);
    const line = (...cells: string[]) => process.stdout.write(`| ${cells.join(' | ')} |\n`);
    line('read', 'now, ms', 'then, ms', 'then ÷ now');
    line('---', '---', '---', '---');
    for (const [name, read] of Object.entries(READS)) {
      const times: Record<'now' | 'past', number[]> = { now: [], past: [] };
      for (let at = 0; at < samples; at += 1) {
        const key = { group: groups[at]!, user: users[at]!, tenantId };
        for (const when of at % 2 === 0 ? (['now', 'past'] as const) : (['past', 'now'] as const)) {
          const now = openDirectory(database, caller);
          const directory = when === 'now' ? now : now.at(tenantId, position);
          const started = performance.now();
          await read(directory, key);
          times[when].push(performance.now() - started);
        }
      }
      const [now, before] = [median(times.now), median(times.past)];
      line(name, now.toFixed(2), before.toFixed(2), (before / now).toFixed(2));
    }
    await database.close();
  } finally {
    await server.stop();
  }
}

// Databases of the version before the log: its migrations, and the directory that its own commands made.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIGRATIONS_DIR } from '../../src/database/migrate.ts';

/** The migration to the log, the first that the version before does not have. */
export const LOG_MIGRATION = '20261127000000_tenant_log';

/** The script of each migration, by name. */
export const SCRIPTS: ReadonlyMap<string, string> = new Map(
  readdirSync(MIGRATIONS_DIR, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort()
    .map((name) => [name, readFileSync(join(MIGRATIONS_DIR, name, 'migration.sql'), 'utf8')]),
);

/** What runs a script of several statements. */
export type RunScript = (script: string) => Promise<unknown>;

/** Applies the migrations before the log to an empty database, and notes them as Prisma does. */
export async function applyEarlierMigrations(run: RunScript): Promise<void> {
  await run(`create table _prisma_migrations (id varchar(36) primary key, checksum varchar(64) not null,
    finished_at timestamptz, migration_name varchar(255) not null, logs text, rolled_back_at timestamptz,
    started_at timestamptz not null default now(), applied_steps_count integer not null default 0)`);
  for (const [name, script] of SCRIPTS) {
    if (name >= LOG_MIGRATION) return;
    const checksum = createHash('sha256').update(script).digest('hex');
    await run(script);
    await run(`insert into _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
      values (gen_random_uuid()::text, '${checksum}', now(), '${name}', 1)`);
  }
}

/** An event as it was stored. */
export type OldEvent = {
  event_type: string;
  tenant_id: string;
  group_id: string;
  actor_id: string;
  actor_type: string;
  occurred_at: string;
  transaction_id: string;
  data: { cause?: string; userIds?: string[]; childGroupIds?: string[] };
};
/** What the version before answered to a restoration, and how the directory changed: lines of `STATE`. */
export type OldRestoration = {
  tenantId: string;
  input: { id: string; includeDescendants: boolean };
  restored: string[];
  notRestored: string[];
  gone: string[];
  come: string[];
};
type Row = Record<string, unknown>;
type OldDirectory = {
  state: string[];
  members: { id: string; users: string[] }[];
  restorations: OldRestoration[];
  group_events: OldEvent[];
} & Record<'partners' | 'tenants' | 'users' | 'groups' | 'memberships' | 'nestings', Row[]> &
  Record<'membership_history' | 'nesting_history', Row[]>;

const STORED = readFileSync(join(import.meta.dirname, '../database/before-the-log/directory.json'), 'utf8');
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+\+00:00/g;

/** Made by `test/database/before-the-log/make.mjs`, a minute ago: each time is as much later. */
export const OLD_DIRECTORY: OldDirectory = (() => {
  const latest = Math.max(...STORED.match(TIME)!.map(Date.parse));
  const age = Date.now() - 60_000 - latest;
  return JSON.parse(STORED.replace(TIME, (time) => new Date(Date.parse(time) + age).toISOString()));
})();

const TABLES = [
  'partners',
  'tenants',
  'users',
  'groups',
  'memberships',
  'nestings',
  'membership_history',
  'nesting_history',
  'group_events',
] as const;

/** A script that inserts the directory, whose backfills have run. */
export const INSERT_OLD_DIRECTORY = [
  'delete from backfills;',
  ...TABLES.map((table) => {
    const rows = JSON.stringify(OLD_DIRECTORY[table]);
    return `insert into ${table} select * from json_populate_recordset(null::${table}, $rows$${rows}$rows$::json);`;
  }),
].join('\n');

/** Groups with their parents and counts, memberships and nestings, a line each. */
export const STATE = `
  select id || ' below ' || coalesce(parent_group_id, 'nothing') || ', members: ' || member_count
    || case when deleted_at is null then '' else ', deleted' end as line from groups
  union all select user_id || ' in ' || group_id from memberships
  union all select child_group_id || ' nested in ' || parent_group_id || coalesce(' for ' || stands_for::text, '') from nestings`;

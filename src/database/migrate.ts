// Applies Prisma migrations with the WebAssembly build of Prisma's engine, over the driver adapters.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { type MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm';
import { type Database, Prisma } from './database.ts';

const PRISMA_DIR = join(import.meta.dirname, '../../prisma');
export const MIGRATIONS_DIR = join(PRISMA_DIR, 'migrations');
const SCHEMA_PATH = join(PRISMA_DIR, 'schema.prisma');
const NO_FILTERS = { externalTables: [], externalEnums: [] };

export type MigrationAdapter = SqlMigrationAwareDriverAdapterFactory;

/** A database that can be migrated: it runs statements, and provides a Prisma adapter while `use` runs. */
export type Migratable = Pick<Database, 'sql'> & {
  withMigrationAdapter<Result>(use: (adapter: MigrationAdapter) => Promise<Result>): Promise<Result>;
};

/** Applies the pending migrations and returns their names. Servers that start at once wait for each other. */
export async function applyMigrations(database: Migratable): Promise<string[]> {
  const migrationsList = await readMigrations();
  const applied = await appliedNames(database);
  if (migrationsList.migrationDirectories.every(({ path }) => applied.has(path))) return [];
  return withEngine(database, async (engine) => {
    const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters: NO_FILTERS });
    return appliedMigrationNames;
  });
}

/** The SQL that would change the migrated schema to schema.prisma; empty if they agree. */
export async function schemaDrift(database: Migratable): Promise<string> {
  const schema = await readFile(SCHEMA_PATH, 'utf8');
  const migrations = await readMigrations();
  const files = [{ path: SCHEMA_PATH, content: schema }];
  return withEngine(database, async (engine) => {
    const { stdout } = await engine.diff({
      from: { tag: 'migrations', ...migrations },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: null,
      filters: NO_FILTERS,
    });
    return (stdout ?? '').includes('empty migration') ? '' : (stdout ?? '').trim();
  });
}

async function withEngine<Result>(
  { withMigrationAdapter }: Migratable,
  use: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  const datamodels: [string, string][] = [[SCHEMA_PATH, await readFile(SCHEMA_PATH, 'utf8')]];
  return withMigrationAdapter(async (adapter) => {
    const bound = bindMigrationAwareSqlAdapterFactory(adapter);
    const engine = await SchemaEngine.new({ datamodels }, () => {}, bound);
    try {
      return await use(engine);
    } finally {
      engine.free();
    }
  });
}

async function appliedNames({ sql }: Pick<Migratable, 'sql'>): Promise<Set<string>> {
  const [table] = await sql<{ exists: boolean }>(
    Prisma.sql`select to_regclass('_prisma_migrations') is not null as exists`,
  );
  if (!table?.exists) return new Set();
  const rows = await sql<{ name: string }>(
    Prisma.sql`select migration_name as name from _prisma_migrations where finished_at is not null`,
  );
  return new Set(rows.map((row) => row.name));
}

async function readMigrations(): Promise<MigrationList> {
  const entries = await readdir(MIGRATIONS_DIR, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  const migrationDirectories = await Promise.all(
    names.map(async (path) => {
      const value = await readFile(join(MIGRATIONS_DIR, path, 'migration.sql'), 'utf8');
      return { path, migrationFile: { path: 'migration.sql', content: { tag: 'ok' as const, value } } };
    }),
  );
  const content = await readFile(join(MIGRATIONS_DIR, 'migration_lock.toml'), 'utf8');
  return {
    baseDir: MIGRATIONS_DIR,
    lockfile: { path: 'migration_lock.toml', content },
    shadowDbInitScript: '',
    migrationDirectories,
  };
}

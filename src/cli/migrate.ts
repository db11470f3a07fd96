// `npm run migrate`: applies pending migrations. `npm run migrate -- create NAME`: writes one for changes of schema.prisma.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MIGRATIONS_DIR, schemaDrift } from '../database/migrate.ts';
import { openPglite } from '../database/pglite.ts';
import { endProcess } from './end-process.ts';
import { withDatabase } from './with-database.ts';

const [command, name] = process.argv.slice(2);

if (command === undefined) {
  // Opening the database applies the migrations.
  await withDatabase(async () => {
    process.stdout.write('The database is migrated\n');
  });
} else if (command === 'create' && name !== undefined && /^[a-z][a-z0-9_]*$/.test(name)) {
  await createMigration(name);
  endProcess();
} else {
  process.stderr.write(
    'Usage: npm run migrate [-- create NAME]   (NAME: lower case letters, digits and _)\n',
  );
  process.exitCode = 1;
}

/** Writes the difference between schema.prisma and all migrations, found with a temporary embedded database. */
async function createMigration(migration: string): Promise<void> {
  const shadow = await openPglite('memory://');
  const script = await schemaDrift(shadow);
  await shadow.close();
  if (script === '') {
    process.stdout.write('schema.prisma and the migrations agree: nothing to write\n');
    return;
  }
  const stamp = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const folder = join(MIGRATIONS_DIR, `${stamp}_${migration}`);
  await mkdir(folder);
  await writeFile(join(folder, 'migration.sql'), `${script}\n`);
  process.stdout.write(`Wrote ${folder}/migration.sql: read it, and add what Prisma cannot say\n`);
}

// `npm run migrate`: applies what is pending. `npm run migrate -- create NAME`: writes what schema.prisma has changed.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MIGRATIONS_DIR, schemaDrift } from '../database/migrate.ts';
import { openPglite } from '../database/pglite.ts';
import { endProcess } from './end-process.ts';
import { withDatabase } from './with-database.ts';

const [command, name] = process.argv.slice(2);

if (command === undefined) {
  // Opening the database is what migrates it.
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

/** Compares schema.prisma with all migrations, applied to an embedded database that is thrown away. */
async function createMigration(migration: string): Promise<void> {
  const shadow = await openPglite('memory://');
  const script = await schemaDrift(shadow);
  await shadow.close();
  if (script === '') {
    process.stdout.write('schema.prisma and the migrations agree: nothing to write\n');
    return;
  }
  const stamp = new Date().toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const directory = join(MIGRATIONS_DIR, `${stamp}_${migration}`);
  await mkdir(directory);
  await writeFile(join(directory, 'migration.sql'), `${script}\n`);
  process.stdout.write(`Wrote ${directory}/migration.sql: read it, and add what Prisma cannot say\n`);
}

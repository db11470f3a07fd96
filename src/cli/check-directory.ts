// `npm run check-directory [-- --repair]`: prints each inconsistency of the directory and exits with 1 if there is one.
import { parseArgs } from 'node:util';
import { checkDirectory, repairDirectory } from '../domain/integrity/check.ts';
import { withDatabase } from './with-database.ts';

await withDatabase(async (database) => {
  const { values } = parseArgs({ options: { repair: { type: 'boolean', default: false } } });
  if (values.repair)
    process.stdout.write(`Rewrote the derived columns of ${await repairDirectory(database)} rows\n`);
  const faults = await checkDirectory(database);
  for (const { kind, message } of faults) process.stdout.write(`${kind}: ${message}\n`);
  process.stdout.write(faults.length === 0 ? 'The directory keeps its rules\n' : `${faults.length} faults\n`);
  if (faults.length > 0) process.exitCode = 1;
});

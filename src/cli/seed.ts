// `npm run seed`: loads the demo directory into the configured database.
import { seedDemo } from '../demo/demo.ts';
import { printReport } from '../import/report.ts';
import { withDatabase } from './with-database.ts';

await withDatabase(async (database) => {
  if (!printReport(await seedDemo(database))) process.exitCode = 1;
});

// `npm run import -- FILE`: imports a directory file, shows its progress and prints a report.
import { stat } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { importDirectory } from '../import/import-directory.ts';
import { readImportFile } from '../import/read-file.ts';
import { printReport } from '../import/report.ts';
import { withDatabase } from './with-database.ts';

const [path] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write('Usage: npm run import -- FILE\n');
  process.exitCode = 1;
} else {
  await withDatabase(async (database) => {
    const { size } = await stat(path);
    const bar = new SingleBar({ format: '{step} [{bar}] {percentage}%', stream: process.stderr });
    bar.start(size, 0, { step: 'reading' });
    try {
      const rows = readImportFile(path, (bytes) => bar.increment(bytes));
      const report = await importDirectory(database, rows, {
        onTenant(done, total) {
          bar.setTotal(total);
          bar.update(done, { step: 'loading' });
        },
      });
      bar.stop();
      if (!printReport(report)) process.exitCode = 1;
    } finally {
      bar.stop();
    }
  });
}

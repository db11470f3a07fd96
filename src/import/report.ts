// What an import did, for people: a line a tenant, and each reason for what was refused.
import type { ImportReport } from './import-directory.ts';

/** Reasons shown for one tenant; more would bury the others. */
const SHOWN = 20;

/** Whether everything was stored. */
export const isWhole = ({ tenants, faults }: ImportReport): boolean =>
  faults.length === 0 && tenants.every((tenant) => tenant.tallies !== null);

/** Prints the report; gives whether everything was stored. */
export function printReport(report: ImportReport): boolean {
  const { tenants, faults, skipped = [] } = report;
  for (const { tenantId, name, tallies, faults: refused } of tenants) {
    if (tallies) {
      const parts = Object.entries(tallies).map(
        ([table, { created, updated, unchanged }]) =>
          `${table} ${created} new, ${updated} changed, ${unchanged} as before`,
      );
      process.stdout.write(`${name} (${tenantId}): ${parts.join('; ')}\n`);
    } else {
      process.stdout.write(`${name} (${tenantId}): refused, nothing of it was stored\n`);
      printFaults(refused);
    }
  }
  if (faults.length > 0) {
    process.stdout.write('Rows of no tenant in the file, not stored:\n');
    printFaults(faults);
  }
  if (skipped.length > 0) process.stdout.write(`Skipped, since it holds no rows: ${skipped.join(', ')}\n`);
  return isWhole(report);
}

function printFaults(faults: string[]): void {
  for (const fault of faults.slice(0, SHOWN)) process.stdout.write(`  ${fault}\n`);
  if (faults.length > SHOWN) process.stdout.write(`  … and ${faults.length - SHOWN} more\n`);
}

// Prints the report of an import: one line per tenant, and the reasons for each refusal.
import type { ImportReport } from './import-directory.ts';

/** Reasons printed per tenant: enough to correct a file by, without hiding the other tenants. */
const MAX_REASONS = 20;

/** Whether all rows were stored. */
export const isComplete = ({ tenants, faults }: ImportReport): boolean =>
  faults.length === 0 && tenants.every((tenant) => tenant.tallies !== null);

/** Prints the report to stdout, and returns whether all rows were stored. */
export function printReport(report: ImportReport): boolean {
  const { tenants, faults, skipped = [] } = report;
  for (const { tenantId, name, tallies, faults: refused } of tenants) {
    if (tallies) {
      const parts = Object.entries(tallies).map(
        ([table, { created, updated, unchanged }]) =>
          `${table}: ${created} created, ${updated} updated, ${unchanged} unchanged`,
      );
      process.stdout.write(`${name} (${tenantId}): ${parts.join('; ')}\n`);
    } else {
      process.stdout.write(`${name} (${tenantId}): refused; nothing was stored\n`);
      printFaults(refused);
    }
  }
  if (faults.length > 0) {
    process.stdout.write('Not stored, because they belong to no tenant of the file:\n');
    printFaults(faults);
  }
  if (skipped.length > 0) process.stdout.write(`Skipped keys without rows: ${skipped.join(', ')}\n`);
  return isComplete(report);
}

function printFaults(faults: string[]): void {
  for (const fault of faults.slice(0, MAX_REASONS)) process.stdout.write(`  ${fault}\n`);
  if (faults.length > MAX_REASONS) process.stdout.write(`  … and ${faults.length - MAX_REASONS} more\n`);
}

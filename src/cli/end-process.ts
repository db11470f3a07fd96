// Ends the process of a command when its work is done.

/**
 * Exits with `process.exitCode` once all output is written. Without it, a command that migrated would run for ten more seconds,
 * because Prisma's migration engine never clears the timer of its lock.
 */
export function endProcess(): void {
  process.stderr.write('', () => process.stdout.write('', () => process.exit()));
}

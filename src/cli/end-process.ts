// Ends a command when its work is done.

/**
 * Ends the process with its `exitCode`, after what it printed is written. Prisma's migration engine never clears the timer of its
 * lock: a command that migrated would stay for ten seconds more.
 */
export function endProcess(): void {
  process.stderr.write('', () => process.stdout.write('', () => process.exit()));
}

// Ends what a run has started, also when the run is interrupted.

const cleanups = new Set<() => void>();

/** Registers what must happen before this process exits; gives a function that takes it back. It must not wait. */
export function beforeExit(cleanup: () => void): () => void {
  cleanups.add(cleanup);
  return () => void cleanups.delete(cleanup);
}

process.on('exit', () => {
  for (const cleanup of cleanups) cleanup();
});
// These end a process without `exit` unless somebody listens.
for (const [signal, code] of Object.entries({ SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }))
  process.on(signal, () => process.exit(code));

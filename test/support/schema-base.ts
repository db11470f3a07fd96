// The schema that this one replaces: that of main where a branch left it, of the last release, or of the last commit.
import { execFileSync } from 'node:child_process';

const ROOT = new URL('../..', import.meta.url).pathname;

/** What git prints; null where it fails, as it does for a name it does not know. */
function git(...args: string[]): string | null {
  try {
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
}

export type SchemaBase = { revision: string; sdl: string };

/**
 * In this order: the revision named by SCHEMA_BASE; where HEAD left main, of the clone's origin or its own; the last
 * release tag before HEAD; the commit before HEAD. Null without git or history, or where the base has no schema yet.
 */
export function schemaBase(named = process.env.SCHEMA_BASE): SchemaBase | null {
  const head = git('rev-parse', 'HEAD');
  const left = (branch: string) => {
    const base = git('merge-base', 'HEAD', branch);
    return base === head ? null : base;
  };
  const candidates = named
    ? [() => named]
    : [
        () => left('origin/main'),
        () => left('main'),
        () => git('describe', '--tags', '--abbrev=0', '--match', 'v*', 'HEAD^'),
        () => git('rev-parse', 'HEAD^'),
      ];
  for (const candidate of candidates) {
    const revision = candidate();
    const sdl = revision && git('show', `${revision}:schema.graphql`);
    if (sdl) return { revision, sdl };
  }
  if (named) throw new Error(`SCHEMA_BASE: there is no schema.graphql at ${named}`);
  return null;
}

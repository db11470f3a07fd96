// Previews several changes of a tenant, and applies them if they would still do what the preview showed.
import { type ChangeInput, parseChanges, type RequestedChange } from '../../model/change-inputs.ts';
import { refuse } from '../../model/errors.ts';
import { type Directory, openDirectory, type Positioned } from '../directory.ts';
import type { WriteContext } from '../log/write-context.ts';
import { type ChangeEffects, readEffects } from './change-effects.ts';
import { runChanges, tenantOfChanges } from './run-changes.ts';

/** `position`: of a preview the latest one of the log, of an application its own. */
export type PreviewedChanges = ChangeEffects & Positioned;

/** Milliseconds for which a preview may hold the lock of the tenant's log: the tenant's changes wait meanwhile. */
export const MAX_PREVIEW_MS = 1_000;
/** Milliseconds of them that are left to end the running statement and to roll back. */
const ROLLBACK_MS = 100;

/** Thrown by the change of a preview, which is therefore rolled back. */
class RolledBack extends Error {
  readonly preview: PreviewedChanges;

  constructor(preview: PreviewedChanges) {
    super('A preview was rolled back');
    this.preview = preview;
  }
}

/**
 * What the changes would do, together and in this order: the commands run in a transaction that is rolled back. Refusals of
 * single changes are part of it; the others are previewed as if a refused one were left out. Refused: VALIDATION_FAILED,
 * LIMIT_EXCEEDED (more than 100 changes, or more than `limit` milliseconds), NOT_FOUND (no tenant that the caller sees),
 * FORBIDDEN.
 */
export async function previewChanges(
  directory: Directory,
  inputs: readonly ChangeInput[],
  limit = MAX_PREVIEW_MS,
): Promise<PreviewedChanges> {
  const changes = parseChanges(inputs);
  const tenantId = await tenantOfChanges(directory, changes);
  const timeUp = new AbortController();
  const signal = AbortSignal.any([timeUp.signal, ...(directory.signal ? [directory.signal] : [])]);
  const previewing = openDirectory(directory.db, directory.caller, { signal });
  let timer: NodeJS.Timeout | undefined;
  const work = async (tx: WriteContext): Promise<never> => {
    clearTimeout(timer);
    timer = setTimeout(() => timeUp.abort(tooLong(limit)), limit - ROLLBACK_MS);
    const attempts = await runChanges(previewing, tx, changes, () => {});
    const effects = await readEffects(tx, changes, attempts, false);
    throw new RolledBack({ ...effects, position: tx.position - 1 });
  };
  try {
    return await previewing.transact(tenantId, work);
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
    directory.reached(tenantId, error.preview.position);
    return error.preview;
  } finally {
    clearTimeout(timer);
  }
}

const tooLong = (limit: number) =>
  refuse.limit(
    limit,
    `The preview took longer than ${limit} ms, for which it may keep other changes waiting: preview fewer changes`,
  );

/**
 * Makes the changes, at one position of the log, if they do what the preview with this hash showed. All or none. Refused as
 * `previewChanges` is; with the error and the index of the first change that is refused; PREVIEW_STALE.
 */
export async function applyChanges(
  directory: Directory,
  { changes: inputs, previewHash }: { changes: readonly ChangeInput[]; previewHash: string },
): Promise<PreviewedChanges> {
  const changes = parseChanges(inputs);
  const tenantId = await tenantOfChanges(directory, changes);
  return directory.transact(tenantId, (tx) => apply(directory, tx, changes, previewHash));
}

async function apply(
  directory: Directory,
  tx: WriteContext,
  changes: readonly RequestedChange[],
  previewHash: string,
): Promise<ChangeEffects> {
  const attempts = await runChanges(directory, tx, changes, (refusal, index) => {
    refusal.changeIndex = index;
    throw refusal;
  });
  const effects = await readEffects(tx, changes, attempts, true);
  if (effects.hash !== previewHash) throw refuse.previewStale();
  return effects;
}

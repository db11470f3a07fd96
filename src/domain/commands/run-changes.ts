// Runs the commands of several changes inside one open change, each in a savepoint: one that is refused leaves nothing.

import { Prisma } from '../../database/database.ts';
import type { ChangeInputs, ChangeKind, RequestedChange } from '../../model/change-inputs.ts';
import { type DirectoryError, isDirectoryError, refuse } from '../../model/errors.ts';
import { isIdOf, type TenantId } from '../../model/ids.ts';
import type { RemoveUsersInput } from '../../model/users.ts';
import { type Directory, NO_TENANT, openDirectory } from '../directory.ts';
import { tenantOf } from '../loading/routing.ts';
import type { Change } from '../log/changes.ts';
import { inside, type WriteContext } from '../log/write-context.ts';
import { findTenant } from '../queries/tenants.ts';
import { addGroupMembers } from './add-members.ts';
import { removeGroupMembers, updateGroupMembers } from './change-members.ts';
import { createGroup } from './create-group.ts';
import { deleteGroup } from './delete-group.ts';
import { addNestedGroups, removeNestedGroup } from './nest-groups.ts';
import { eraseUsers, removeUsers } from './remove-users.ts';
import { restoreGroup } from './restore-group.ts';
import type { NotRestored } from './restore-hierarchy.ts';
import { notInTenant } from './rules/targets.ts';
import { setGroupMembers } from './set-members.ts';
import { updateGroup } from './update-group.ts';
import { upsertUsers } from './upsert-users.ts';

const COMMANDS: {
  [Kind in ChangeKind]: (directory: Directory, input: ChangeInputs[Kind]) => Promise<object>;
} = {
  createGroup,
  updateGroup,
  deleteGroup,
  restoreGroup,
  addGroupMembers,
  removeGroupMembers,
  updateGroupMembers,
  setGroupMembers,
  addNestedGroups,
  removeNestedGroup,
  upsertUsers,
  removeUsers,
  eraseUsers,
};

/** What became of one change: what it recorded, or the error with which it was refused. */
export type Attempt = {
  refusal: DirectoryError | null;
  recorded: readonly Change[];
  notRestored: readonly NotRestored[];
};

/** The tenant of the first change whose target the caller sees. Refused with NOT_FOUND if it sees none. */
export async function tenantOfChanges(
  directory: Directory,
  changes: readonly RequestedChange[],
): Promise<TenantId> {
  const tenants = await Promise.all(changes.map(({ targetId }) => tenantOf(directory, targetId)));
  const tenantId = tenants.find((tenant) => tenant !== NO_TENANT);
  if (tenantId === undefined) throw refuse.notFound(changes[0]!.targetId);
  return tenantId;
}

/**
 * Runs the changes in order, as the caller of `directory`; each sees those before it. A refused one is `refused`, and the next
 * one runs unless that throws. Errors that are no refusals end all.
 */
export async function runChanges(
  directory: Directory,
  tx: WriteContext,
  changes: readonly RequestedChange[],
  refused: (refusal: DirectoryError, index: number) => void,
): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  const batch = new OnePosition();
  for (const [index, change] of changes.entries()) {
    tx.send(Prisma.sql`savepoint change`);
    const recorded: Change[] = [];
    try {
      batch.assertRemovable(change);
      const { notRestored = [] } = await run(directory, tx, change, recorded);
      batch.note(change, recorded);
      attempts.push({ refusal: null, recorded, notRestored });
      for (const part of recorded) tx.record(part);
    } catch (error) {
      // A signal aborts with an error that looks like a refusal.
      directory.signal?.throwIfAborted();
      if (!isDirectoryError(error) || isDirectoryError(error, 'UNAVAILABLE')) throw error;
      tx.send(Prisma.sql`rollback to savepoint change`);
      attempts.push({ refusal: error, recorded: [], notRestored: [] });
      refused(error, index);
    }
    tx.send(Prisma.sql`release savepoint change`);
  }
  return attempts;
}

/** Runs the command as if it were alone: with a directory of its own, and nothing cached from the change before. */
async function run(
  { db, caller }: Directory,
  tx: WriteContext,
  { kind, input, targetId }: RequestedChange,
  recorded: Change[],
): Promise<{ notRestored?: NotRestored[] }> {
  const record = (part: Change) => {
    recorded.push(part);
  };
  const part = { ...tx, record };
  const directory = openDirectory(inside(part, db), caller);
  await assertInTenant(directory, part, targetId);
  return COMMANDS[kind](directory, input as never);
}

/** Refuses a target in another tenant that the caller sees; one that it does not see is refused by the command. */
async function assertInTenant(directory: Directory, tx: WriteContext, targetId: string): Promise<void> {
  const tenantId = await tenantOf(directory, targetId);
  if (tenantId === tx.tenantId || tenantId === NO_TENANT) return;
  if (!isIdOf('tenant', targetId)) throw await notInTenant(directory, tx, targetId);
  if (!(await findTenant(directory, targetId))) throw refuse.notFound(targetId);
  throw refuse.otherTenant(targetId, `${targetId} is not the tenant of the other changes`);
}

/**
 * What the changes before began and ended, at the position that all share. What begins and ends at one position leaves no
 * history: a deletion could not be undone whole, so it is refused for what was begun, and so is the opposite for what was ended.
 */
class OnePosition {
  readonly #begun = new Set<string>();
  readonly #deleted = new Set<string>();
  readonly #createdUsers = new Set<string>();

  /** Refused with VALIDATION_FAILED: the removal of a user whom a change before created. */
  assertRemovable({ kind, input }: RequestedChange): void {
    if (kind !== 'removeUsers' && kind !== 'eraseUsers') return;
    for (const id of (input as RemoveUsersInput).userIds)
      if (this.#createdUsers.has(id)) throw apart('userIds', id);
  }

  /**
   * Notes what a change recorded. Refused with VALIDATION_FAILED: a deletion of what a change before restored, or added members
   * or nested groups to, and a restoration of what one deleted. It names the id that was sent: that of a group which goes with it
   * may be new each time.
   */
  note({ targetId }: RequestedChange, recorded: readonly Change[]): void {
    for (const { type, groupId } of recorded) {
      const opposite = { 'group.deleted': this.#begun, 'group.restored': this.#deleted }[type as string];
      if (opposite?.has(groupId!)) throw apart('id', targetId);
    }
    for (const { type, groupId, groupIds = [], userIds = [], data } of recorded) {
      if (BEGINS.has(type)) for (const id of [groupId!, ...groupIds]) this.#begun.add(id);
      if (type === 'group.deleted') this.#deleted.add(groupId!);
      if (type === 'users.upserted' && !data) for (const id of userIds) this.#createdUsers.add(id);
    }
  }
}

const BEGINS = new Set(['group_membership.added', 'group_nesting.added', 'group.restored']);

const apart = (field: string, id: string) =>
  refuse.validation([
    {
      path: [field],
      message: `must not name ${id}: a change before began or ended it, or what goes with it. Send this one alone`,
    },
  ]);

// Several changes in one call: each is the input of one mutation.
import { refuse } from './errors.ts';
import type { CreateGroupInput, DeleteGroupInput, RestoreGroupInput, UpdateGroupInput } from './groups.ts';
import type { GroupMembersInput, SetGroupMembersInput, UpdateGroupMembersInput } from './members.ts';
import type { AddNestedGroupsInput, RemoveNestedGroupInput } from './nesting.ts';
import type { RemoveUsersInput, UpsertUsersInput } from './users.ts';

/** Maximum changes per call: they share one transaction, and others wait for it. */
export const MAX_CHANGES = 100;

export type ChangeInputs = {
  createGroup: CreateGroupInput;
  updateGroup: UpdateGroupInput;
  deleteGroup: DeleteGroupInput;
  restoreGroup: RestoreGroupInput;
  addGroupMembers: GroupMembersInput;
  removeGroupMembers: GroupMembersInput;
  updateGroupMembers: UpdateGroupMembersInput;
  setGroupMembers: SetGroupMembersInput;
  addNestedGroups: AddNestedGroupsInput;
  removeNestedGroup: RemoveNestedGroupInput;
  upsertUsers: UpsertUsersInput;
  removeUsers: RemoveUsersInput;
  eraseUsers: RemoveUsersInput;
};
export type ChangeKind = keyof ChangeInputs;

/** A change: exactly one of the inputs. */
export type ChangeInput = { [Kind in ChangeKind]?: ChangeInputs[Kind] | null | undefined };

/** A change by its kind. `targetId`: the group that it is about or, for new groups and for users, their tenant. */
export type RequestedChange = { kind: ChangeKind; input: ChangeInputs[ChangeKind]; targetId: string };

/**
 * The changes of a call, in order. Their inputs are validated by their commands. Refused: VALIDATION_FAILED (no change, or not
 * exactly one input in one), LIMIT_EXCEEDED (more than 100).
 */
export function parseChanges(changes: readonly ChangeInput[]): RequestedChange[] {
  const { length } = changes;
  if (length === 0) throw refuse.validation([{ path: ['changes'], message: 'must name a change' }]);
  const message = `A call may make at most ${MAX_CHANGES} changes; this one has ${length}`;
  if (length > MAX_CHANGES) throw refuse.limit(MAX_CHANGES, message);
  return changes.map((change, index) => {
    const [entry, ...others] = Object.entries(change).filter(([, input]) => input != null);
    const path = ['changes', String(index)];
    if (!entry || others.length > 0) throw refuse.validation([{ path, message: 'must have one input' }]);
    const [kind, input] = entry as [ChangeKind, ChangeInputs[ChangeKind]];
    return { kind, input, targetId: targetOf(input) };
  });
}

const targetOf = (input: { tenantId?: string; groupId?: string; id?: string }): string =>
  input.tenantId ?? input.groupId ?? input.id ?? '';

// The state that the steps of a restoration share: what they restore, and the report of what cannot be restored.

import type { GroupId } from '../../model/ids.ts';
import type { WriteContext } from '../log/write-context.ts';

export type NotRestoredKind = 'PARENT' | 'CHILD' | 'MEMBERSHIP' | 'NESTING';
/** What could not be restored, and why. `id`: the parent or child group, the user, or the other group of a nesting. */
export type NotRestored = { kind: NotRestoredKind; id: string; reason: string };

/** The groups `ids`, deleted by one deletion, are being restored; each step appends to `notRestored`. */
export type Restoration = {
  tx: WriteContext;
  ids: GroupId[];
  deletionId: string;
  notRestored: NotRestored[];
};

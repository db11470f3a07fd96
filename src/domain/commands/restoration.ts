// What the parts of a restoration share: what they restore, and the report of what could not come back.

import type { GroupId } from '../../model/ids.ts';
import type { WriteContext } from '../log/write-context.ts';

export type NotRestoredKind = 'PARENT' | 'CHILD' | 'MEMBERSHIP' | 'NESTING';
/** What stayed behind: the id of the far end (parent or child group, user, or other group of a nesting), and why. */
export type NotRestored = { kind: NotRestoredKind; id: string; reason: string };

/** The groups `ids` of one deletion are restored; each part adds to the report. */
export type Restoration = {
  tx: WriteContext;
  ids: GroupId[];
  deletionId: string;
  notRestored: NotRestored[];
};

// Nesting: the inputs of the operations that add and remove nested groups.
import { z } from 'zod';
import { groupId } from './ids.ts';

/** Maximum children per call: each requires a traversal of all groups nested in it. */
export const MAX_CHILDREN_PER_CALL = 100;

/** Input of addNestedGroups. */
export const addNestedGroupsInput = z.object({ groupId, childGroupIds: z.array(groupId) });
export type AddNestedGroupsInput = z.input<typeof addNestedGroupsInput>;

/** Input of removeNestedGroup. */
export const removeNestedGroupInput = z.object({ groupId, childGroupId: groupId });
export type RemoveNestedGroupInput = z.input<typeof removeNestedGroupInput>;

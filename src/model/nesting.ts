// Nesting: the input of the operations that nest groups in a group.
import { z } from 'zod';
import { groupId } from './ids.ts';

/** Children in one call: each costs a walk of what it reaches. */
export const MAX_CHILDREN_PER_CALL = 100;

/** Input of addNestedGroups. */
export const addNestedGroupsInput = z.object({ groupId, childGroupIds: z.array(groupId) });
export type AddNestedGroupsInput = z.input<typeof addNestedGroupsInput>;

/** Input of removeNestedGroup. */
export const removeNestedGroupInput = z.object({ groupId, childGroupId: groupId });
export type RemoveNestedGroupInput = z.input<typeof removeNestedGroupInput>;

// Groups: the rules of their fields, and the inputs of the operations that create, change and list them.
import { z } from 'zod';
import { groupId, partnerId, tenantId, userId } from './ids.ts';
import { jsonObject } from './json.ts';
import { freeText, nameLine, searchText } from './text.ts';

export const GROUP_TYPES = ['SECURITY', 'DISTRIBUTION'] as const;
export type GroupType = (typeof GROUP_TYPES)[number];

/** Maximum levels of the hierarchy, and groups on a path of nestings: deeper structures are mistakes and slow every read. */
export const MAX_DEPTH = 32;
/** Maximum ids per call: a batch of this size stays well inside the statement timeout. */
export const MAX_IDS_PER_CALL = 1_000;
/** Maximum characters of a description: a page of text. */
export const MAX_DESCRIPTION = 4_096;

const name = nameLine(z.string('must be text, and cannot be cleared'));
const description = freeText(MAX_DESCRIPTION);
const customAttributes = jsonObject;

const expectedVersion = z.int().min(1).nullish();

/** Input of createGroup. */
export const createGroupInput = z.object({
  tenantId,
  name,
  description: description.nullish(),
  type: z.enum(GROUP_TYPES).nullish(),
  parentGroupId: groupId.nullish(),
  initialMemberIds: z.array(userId).nullish(),
  customAttributes: customAttributes.nullish(),
});
export type CreateGroupInput = z.input<typeof createGroupInput>;

/** Input of updateGroup. Omitted fields are left unchanged; null clears a field. A null name is refused. */
export const updateGroupInput = z.object({
  id: groupId,
  name: name.optional(),
  description: description.nullish(),
  parentGroupId: groupId.nullish(),
  customAttributes: customAttributes.nullish(),
  expectedVersion,
});
export type UpdateGroupInput = z.input<typeof updateGroupInput>;

export const DELETE_STRATEGIES = ['BLOCK', 'ORPHAN', 'CASCADE'] as const;
export type DeleteStrategy = (typeof DELETE_STRATEGIES)[number];

/** Input of deleteGroup. */
export const deleteGroupInput = z.object({
  id: groupId,
  strategy: z.enum(DELETE_STRATEGIES).nullish(),
  expectedVersion,
});
export type DeleteGroupInput = z.input<typeof deleteGroupInput>;

/** Days during which a deleted group can be restored. */
export const RESTORE_DAYS = 30;

/** Input of restoreGroup. */
export const restoreGroupInput = z.object({ id: groupId, includeDescendants: z.boolean().nullish() });
export type RestoreGroupInput = z.input<typeof restoreGroupInput>;

/** Filter of a list of groups; `parentGroupId: null` selects roots. */
export const groupFilter = z.object({
  ids: z.array(groupId).max(MAX_IDS_PER_CALL, `must have at most ${MAX_IDS_PER_CALL} ids`).nullish(),
  search: searchText.nullish(),
  tenantId: tenantId.nullish(),
  partnerId: partnerId.nullish(),
  type: z.enum(GROUP_TYPES).nullish(),
  parentGroupId: groupId.nullish(),
  underGroupId: groupId.nullish(),
  memberUserId: userId.nullish(),
  updatedSince: z.date().nullish(),
  isEmpty: z.boolean().nullish(),
  customAttributes: jsonObject.nullish(),
});
export type GroupFilter = z.input<typeof groupFilter>;

export const ORDER_DIRECTIONS = ['ASC', 'DESC'] as const;
export type OrderDirection = (typeof ORDER_DIRECTIONS)[number];
export const GROUP_ORDER_FIELDS = ['NAME', 'CREATED_AT', 'UPDATED_AT'] as const;
export type GroupOrder = { field: (typeof GROUP_ORDER_FIELDS)[number]; direction: OrderDirection };

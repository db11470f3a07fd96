// Groups: the rules of their fields, and the input of the operations that create, change and list them.
import { z } from 'zod';
import { groupId, partnerId, tenantId, userId } from './ids.ts';

export const GROUP_TYPES = ['SECURITY', 'DISTRIBUTION'] as const;
export type GroupType = (typeof GROUP_TYPES)[number];

/** Levels of the hierarchy, and groups on a path of the nesting: deeper structures are mistakes, and cost every read. */
export const MAX_DEPTH = 32;
/** Ids in one call: the largest batch that stays well inside the statement timeout. */
export const MAX_IDS_PER_CALL = 1_000;
const MAX_NAME = 255;
const MAX_DESCRIPTION = 4_096;
const MAX_ATTRIBUTES_BYTES = 16 * 1_024;
const MAX_ATTRIBUTES_LEVELS = 8;

// C0 and C1 controls, lone surrogates and the line separators: none can be shown in a list, some cannot be stored.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029]/u;
const NUL = /\0/;

const name = z
  .string('must be text, and cannot be cleared')
  .transform((text) => text.trim())
  .refine((text) => text.length >= 1, 'must not be empty')
  .refine((text) => [...text].length <= MAX_NAME, `must have at most ${MAX_NAME} characters`)
  .refine((text) => !UNPRINTABLE.test(text), 'must not contain control characters');

const description = z
  .string()
  .refine((text) => [...text].length <= MAX_DESCRIPTION, `must have at most ${MAX_DESCRIPTION} characters`)
  .refine((text) => !NUL.test(text) && text.isWellFormed(), 'must not contain NUL or half characters');

export type JsonObject = { [key: string]: JsonValue };
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

const customAttributes = z
  .custom<JsonObject>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'must be a JSON object',
  )
  // What is too deep is judged no further: the checks below recurse, and would overflow the stack.
  .refine((value) => levels(value) <= MAX_ATTRIBUTES_LEVELS, {
    error: `must have at most ${MAX_ATTRIBUTES_LEVELS} levels`,
    abort: true,
  })
  .refine((value) => {
    const text = JSON.stringify(value);
    return Buffer.byteLength(text) <= MAX_ATTRIBUTES_BYTES;
  }, `must have at most ${MAX_ATTRIBUTES_BYTES} bytes as JSON`)
  .refine((value) => !hasUnstorableText(value), 'must not contain NUL or half characters')
  .refine((value) => !hasUnstorableNumber(value), 'must not contain numbers beyond double precision');

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

/** Input of updateGroup: absent leaves a field as it is, null clears it; a null name is refused. */
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

/** A deleted group can be restored for this long. */
export const RESTORE_DAYS = 30;

/** Input of restoreGroup. */
export const restoreGroupInput = z.object({ id: groupId, includeDescendants: z.boolean().nullish() });
export type RestoreGroupInput = z.input<typeof restoreGroupInput>;

/** Longest search text; longer ones match nothing sensible. */
const MAX_SEARCH = 255;
export const searchText = z
  .string()
  .max(MAX_SEARCH, `must have at most ${MAX_SEARCH} characters`)
  .refine((text) => !NUL.test(text) && text.isWellFormed(), 'must not contain NUL or half characters');

/** Filter of a list of groups; `parentGroupId: null` asks for roots. */
export const groupFilter = z.object({
  search: searchText.nullish(),
  tenantId: tenantId.nullish(),
  partnerId: partnerId.nullish(),
  type: z.enum(GROUP_TYPES).nullish(),
  parentGroupId: groupId.nullish(),
  memberUserId: userId.nullish(),
});
export type GroupFilter = z.input<typeof groupFilter>;

export const ORDER_DIRECTIONS = ['ASC', 'DESC'] as const;
export type OrderDirection = (typeof ORDER_DIRECTIONS)[number];
export const GROUP_ORDER_FIELDS = ['NAME', 'CREATED_AT'] as const;
export type GroupOrder = { field: (typeof GROUP_ORDER_FIELDS)[number]; direction: OrderDirection };

/** The name as siblings compare it: two names are the same if their keys are (Unicode NFC, lower case). */
export const nameKey = (text: string) => text.normalize('NFC').toLowerCase();

/** The text that a substring search looks in: each part folded as names are, one a line. */
export const searchKey = (...parts: (string | null | undefined)[]) =>
  parts
    .filter((part) => part != null && part !== '')
    .map((part) => nameKey(part!))
    .join('\n');

function levels(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  let deepest = 0;
  const pending: [JsonValue, number][] = [[value, 1]];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [at, depth] = next;
    deepest = Math.max(deepest, depth);
    for (const inner of Object.values(at as object)) {
      if (typeof inner === 'object' && inner !== null) pending.push([inner, depth + 1]);
    }
  }
  return deepest;
}

function hasUnstorableText(value: JsonValue): boolean {
  if (typeof value === 'string') return NUL.test(value) || !value.isWellFormed();
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, inner]) => hasUnstorableText(key) || hasUnstorableText(inner));
}

/** Infinity and NaN, which a literal such as 1e400 reads as: JSON would store them as null. */
function hasUnstorableNumber(value: JsonValue): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasUnstorableNumber);
}

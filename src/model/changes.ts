// Types of changes: the names that the APIs give them, and the types that the log stores.

/** The stored type of each name. Those of groups and memberships are events that consumers of the platform know. */
export const CHANGE_TYPES = {
  GROUP_CREATED: 'group.created',
  GROUP_UPDATED: 'group.updated',
  GROUP_DELETED: 'group.deleted',
  GROUP_RESTORED: 'group.restored',
  MEMBERS_ADDED: 'group_membership.added',
  MEMBERS_REMOVED: 'group_membership.removed',
  GROUPS_NESTED: 'group_nesting.added',
  GROUPS_UNNESTED: 'group_nesting.removed',
  USERS_UPSERTED: 'users.upserted',
  USERS_REMOVED: 'users.removed',
  USERS_ERASED: 'users.erased',
  TENANT_UPDATED: 'tenant.updated',
  DIRECTORY_REPAIRED: 'directory.repaired',
} as const;

export type ChangeTypeName = keyof typeof CHANGE_TYPES;
export type ChangeType = (typeof CHANGE_TYPES)[ChangeTypeName];

/** The stored types, as events of consumers have them. */
export const EVENT_TYPES = Object.values(CHANGE_TYPES);

/** The name of a stored type. */
export const nameOfType = (stored: ChangeType): ChangeTypeName =>
  (Object.keys(CHANGE_TYPES) as ChangeTypeName[]).find((name) => CHANGE_TYPES[name] === stored)!;

/** The stored types of the names, each once and sorted, so that equal filters are equal; null for no filter. */
export function storedTypes(names: readonly ChangeTypeName[] | null | undefined): ChangeType[] | null {
  return names ? [...new Set(names.map((name) => CHANGE_TYPES[name]))].sort() : null;
}

// Global ids: the ids of the domain, unencoded. The prefix of an id names its type. The id of a member is that of its group and
// that of its user, with a dot between them: no id has one.
import { type GroupId, type IdKind, isIdOf, kindOfId, type UserId } from '../../model/ids.ts';

export type NodeType = 'Group' | 'User' | 'Tenant' | 'Member';

/** Partners are no Nodes: they are available only as a field of their tenants and of the viewer. */
const NODE_TYPES: Partial<Record<IdKind, NodeType>> = { group: 'Group', user: 'User', tenant: 'Tenant' };

/** The Node type of an id, by its prefix; null if the string is not the id of a Node. */
export function nodeTypeOf(id: string): NodeType | null {
  const kind = kindOfId(id);
  if (kind === null) return memberOf(id) && 'Member';
  return NODE_TYPES[kind] ?? null;
}

type Membership = { groupId: GroupId; userId: UserId };

export const memberId = ({ groupId, userId }: Membership): string => `${groupId}.${userId}`;

/** The group and the user of a member's id; null if the string is no such id. */
export function memberOf(id: string): Membership | null {
  const [groupId = '', userId = '', ...rest] = id.split('.', 3);
  return rest.length === 0 && isIdOf('group', groupId) && isIdOf('user', userId) ? { groupId, userId } : null;
}

// Global ids pass through GraphQL as they are: their prefix tells the type.
import { type IdKind, kindOfId } from '../../model/ids.ts';

export type NodeType = 'Group' | 'User' | 'Tenant';

/** Not every kind of id names a Node: partners are reached through their tenants only. */
const NODE_TYPES: Partial<Record<IdKind, NodeType>> = { group: 'Group', user: 'User', tenant: 'Tenant' };

/** The type of Node that the id's prefix names, or null if the text is no id of a Node. */
export function nodeTypeOf(id: string): NodeType | null {
  const kind = kindOfId(id);
  return (kind && NODE_TYPES[kind]) ?? null;
}

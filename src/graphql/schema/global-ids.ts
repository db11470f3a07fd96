// Global ids: the ids of the domain, unencoded. The prefix of an id names its type.
import { type IdKind, kindOfId } from '../../model/ids.ts';

export type NodeType = 'Group' | 'User' | 'Tenant';

/** Partners are no Nodes: they are available only as a field of their tenants and of the viewer. */
const NODE_TYPES: Partial<Record<IdKind, NodeType>> = { group: 'Group', user: 'User', tenant: 'Tenant' };

/** The Node type of an id, by its prefix; null if the string is not the id of a Node. */
export function nodeTypeOf(id: string): NodeType | null {
  const kind = kindOfId(id);
  return (kind && NODE_TYPES[kind]) ?? null;
}

// The entities of the subgraph: each Node, by its id. Representations are bounded, and open to the entities only.
import { refuse } from '../../model/errors.ts';
import { MAX_IDS_PER_CALL } from '../../model/groups.ts';
import type { Context } from './context.ts';
import { nodeTypeOf } from './global-ids.ts';
import { Group } from './groups.ts';
import { loadNode } from './node.ts';
import { Tenant } from './tenants.ts';
import { User } from './users.ts';

type Representation = { readonly __typename?: unknown; readonly id?: unknown };

export const entities = [Group, Tenant, User];
const NAMES: readonly unknown[] = entities.map(({ name }) => name);

/**
 * Loads entities in the order of their representations: null for each that is unknown or hidden, an error for one that is
 * bad. Those of one type that are asked for together are one statement.
 */
export function loadEntities(representations: readonly unknown[], { directory }: Context) {
  if (representations.length > MAX_IDS_PER_CALL) {
    throw refuse.limit(MAX_IDS_PER_CALL, `At most ${MAX_IDS_PER_CALL} representations can be given at once`);
  }
  return representations.map((each, index) => {
    const { __typename, id } = each as Representation;
    // An error in the place of an item is that item's alone.
    const fault = (field: string, message: string) =>
      refuse.validation([{ path: ['representations', String(index), field], message }]);
    if (!NAMES.includes(__typename)) return fault('__typename', `must be one of ${NAMES.join(', ')}`);
    if (typeof id !== 'string') return fault('id', 'must be an id');
    // The key may be the id of another type: then there is no such entity.
    return nodeTypeOf(id) === __typename ? loadNode(directory, id) : null;
  });
}

// The federation entities: which types are entities, and how representations of them are loaded.
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
const TYPE_NAMES: readonly unknown[] = entities.map(({ name }) => name);

/**
 * Loads the entities of at most 1,000 representations, in their order: null if the entity is unknown or hidden, an error
 * if the representation is invalid. Loads all entities of a type in one statement. Refused: LIMIT_EXCEEDED.
 */
export function loadEntities(representations: readonly unknown[], { directory }: Context) {
  if (representations.length > MAX_IDS_PER_CALL) {
    throw refuse.limit(MAX_IDS_PER_CALL, `At most ${MAX_IDS_PER_CALL} representations can be given at once`);
  }
  return representations.map((representation, index) => {
    const { __typename, id } = representation as Representation;
    // An error returned as an item of the list makes this item null, and no other.
    const invalid = (field: string, message: string) =>
      refuse.validation([{ path: ['representations', String(index), field], message }]);
    if (!TYPE_NAMES.includes(__typename))
      return invalid('__typename', `must be one of ${TYPE_NAMES.join(', ')}`);
    if (typeof id !== 'string') return invalid('id', 'must be an id');
    // An id of another type than `__typename` names no entity.
    return nodeTypeOf(id) === __typename ? loadNode(directory, id) : null;
  });
}

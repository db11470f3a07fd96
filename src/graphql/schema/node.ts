// Query.node and Query.nodes: groups, users, tenants and members by global id; null for unknown and hidden ones.
import { findGroup } from '../../domain/queries/groups.ts';
import { findMember } from '../../domain/queries/member-nodes.ts';
import { findTenant } from '../../domain/queries/tenants.ts';
import { findUser } from '../../domain/queries/users.ts';
import { refuse } from '../../model/errors.ts';
import { MAX_IDS_PER_CALL } from '../../model/groups.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { memberOf, nodeTypeOf } from './global-ids.ts';

const LOADERS = {
  Group: findGroup,
  User: findUser,
  Tenant: findTenant,
  Member: (directory: Context['directory'], id: string) => findMember(directory, memberOf(id)!),
};

/** The nodes of at most 1,000 ids, in their order. Loads all nodes of a type in one statement. Refused: LIMIT_EXCEEDED. */
async function loadNodes({ directory }: Context, ids: readonly string[]) {
  if (ids.length > MAX_IDS_PER_CALL) {
    throw refuse.limit(MAX_IDS_PER_CALL, `At most ${MAX_IDS_PER_CALL} ids can be given at once`);
  }
  return Promise.all(ids.map((id) => loadNode(directory, id)));
}

/** The group, user, tenant or member with this id; null if it is unknown or hidden. Calls in the same tick are batched. */
export async function loadNode(directory: Context['directory'], id: string) {
  const type = nodeTypeOf(id);
  return type === null ? null : LOADERS[type](directory, id);
}

builder.queryFields((t) => ({
  node: t.field({
    description: 'The object with this id; null if it does not exist or you cannot see it.',
    type: builder.nodeInterfaceRef(),
    args: { id: t.arg.id({ required: true, description: 'Id of a group, user, tenant or member.' }) },
    resolve: (_root, { id }, { directory }) => loadNode(directory, id),
  }),
  nodes: t.field({
    description:
      'The objects with these ids, in their order; null for objects that do not exist or that you cannot see.',
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    args: {
      ids: t.arg.idList({
        required: true,
        description: 'Ids of groups, users, tenants or members; at most 1,000.',
      }),
    },
    complexity: ({ ids }) => ({ field: ids.length, multiplier: ids.length }),
    resolve: (_root, { ids }, context) => loadNodes(context, ids),
  }),
}));

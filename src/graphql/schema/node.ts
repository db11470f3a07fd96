// Query.node and Query.nodes: any Group, User or Tenant by its global id. What is unknown or hidden is null.
import { findGroups } from '../../domain/queries/groups.ts';
import { findTenants } from '../../domain/queries/tenants.ts';
import { findUsers } from '../../domain/queries/users.ts';
import { refuse } from '../../model/errors.ts';
import { MAX_IDS_PER_CALL } from '../../model/groups.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { nodeTypeOf } from './global-ids.ts';

const LOADERS = { Group: findGroups, User: findUsers, Tenant: findTenants };

/** The nodes in the order of their ids: one statement a type, however many ids and fields ask in one tick. */
async function loadNodes({ directory }: Context, ids: readonly string[]) {
  if (ids.length > MAX_IDS_PER_CALL) {
    throw refuse.limit(MAX_IDS_PER_CALL, `At most ${MAX_IDS_PER_CALL} ids can be given at once`);
  }
  return Promise.all(ids.map((id) => loadNode(directory, id)));
}

/** The group, user or tenant with this id; null if there is none that the caller sees. What is asked for in one tick is batched. */
export async function loadNode(directory: Context['directory'], id: string) {
  const type = nodeTypeOf(id);
  if (type === null) return null;
  const [node = null] = await LOADERS[type](directory, [id]);
  return node;
}

builder.queryFields((t) => ({
  node: t.field({
    description: 'The object with this id; null if there is none that you can see.',
    type: builder.nodeInterfaceRef(),
    args: { id: t.arg.id({ required: true, description: 'Id of a group, user or tenant.' }) },
    resolve: (_root, { id }, { directory }) => loadNode(directory, id),
  }),
  nodes: t.field({
    description: 'The objects with these ids, in their order; null where there is none that you can see.',
    type: [builder.nodeInterfaceRef()],
    nullable: { list: false, items: true },
    args: {
      ids: t.arg.idList({ required: true, description: 'Ids of groups, users or tenants; at most 1,000.' }),
    },
    complexity: ({ ids }) => ({ field: ids.length, multiplier: ids.length }),
    resolve: (_root, { ids }, context) => loadNodes(context, ids),
  }),
}));

// Tenants, and the partners that own them.

import {
  countTenants,
  findPartner,
  findPosition,
  findTenant,
  listTenants,
} from '../../domain/queries/tenants.ts';
import { builder, exposedId } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection } from './connections.ts';

export const Partner = builder.objectRef<{ id: string; name: string }>('Partner').implement({
  description: 'A reseller or business unit that owns tenants.',
  fields: (t) => ({
    id: t.exposeID('id', { nullable: false, description: 'Id of the partner.' }),
    name: t.exposeString('name', { nullable: false, description: 'Name of the partner.' }),
  }),
});

export const Tenant = builder.prismaObject('Tenant', {
  description: 'A customer with its own users and groups, isolated from all other tenants.',
  findUnique: null,
  directives: { key: { fields: 'id' } },
  fields: (t) => ({
    name: t.exposeString('name', {
      nullable: false,
      directives: { shareable: {} },
      description: 'Name of the tenant.',
    }),
    slug: t.exposeString('slug', { nullable: false, description: 'Short name for use in URLs.' }),
    position: t.field({
      description: "The latest position of the tenant's log; null if you cannot see it.",
      type: 'Position',
      resolve: ({ id }, _args, { directory }) => findPosition(directory, id),
    }),
    partner: t.field({
      description: 'The partner that owns the tenant; null if you cannot see it.',
      type: Partner,
      resolve: ({ partnerId }, _args, { directory }) => findPartner(directory, partnerId),
    }),
  }),
});
builder.nodeRef(Tenant, { id: exposedId });

export const TenantConnection = builder.connectionObject(
  { type: Tenant, name: 'TenantConnection', description: 'A page of tenants.' },
  { name: 'TenantEdge', description: 'A tenant at its position in the list.' },
);

builder.queryFields((t) => ({
  tenant: t.field({
    description: 'The tenant with this id; null if it does not exist or you cannot see it.',
    type: Tenant,
    args: { id: t.arg.id({ required: true, description: 'Id of the tenant.' }) },
    resolve: (_root, { id }, { directory }) => findTenant(directory, id),
  }),
  tenants: t.connection(
    {
      description: 'The tenants that you can see, ordered by name.',
      type: Tenant,
      args: {
        search: t.arg.string({
          description: 'Words of the name or the slug, in any order, ignoring case and accents.',
        }),
      },
      complexity: connectionCost,
      resolve: (_root, { search, ...page }, { directory }, info) =>
        connection(page, info, {
          list: (page) => listTenants(directory, { search, page }),
          count: () => countTenants(directory, { search }),
        }),
    },
    TenantConnection,
  ),
}));

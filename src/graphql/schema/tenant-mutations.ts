// The mutations that create and rename tenants.
import { type ChangedTenant, createTenant, updateTenant } from '../../domain/commands/change-tenants.ts';
import type { UpdateTenantInput as UpdateTenantFields } from '../../model/tenants.ts';
import { builder } from './builder.ts';
import { typedErrors } from './error-types.ts';
import { positionField } from './position.ts';
import { Tenant } from './tenants.ts';

const CreateTenantInput = builder.inputType('CreateTenantInput', {
  description: 'Input of `createTenant`.',
  fields: (t) => ({
    id: t.id({ description: 'Id of the tenant, `tnt_…`, if another system has given it one.' }),
    partnerId: t.id({ required: true, description: 'The partner that owns the tenant.' }),
    name: t.string({ required: true, description: 'Name: 1 to 255 characters.' }),
    slug: t.string({ required: true, description: 'Short name for use in URLs.' }),
  }),
});

const UpdateTenantInput = builder.inputType('UpdateTenantInput', {
  description: 'Input of `updateTenant`. Omitted fields are left unchanged.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The tenant to rename.' }),
    name: t.string({ description: 'New name. It cannot be null.' }),
    slug: t.string({ description: 'New short name. It cannot be null.' }),
  }),
});

const payload = (name: string, description: string) =>
  builder.objectRef<ChangedTenant>(name).implement({
    description,
    fields: (t) => ({
      position: t.field(positionField),
      tenant: t.field({
        type: Tenant,
        nullable: false,
        description: 'The tenant.',
        resolve: ({ tenant }) => tenant,
      }),
    }),
  });

const CreateTenantPayload = payload('CreateTenantPayload', 'Result of `createTenant`.');
const UpdateTenantPayload = payload('UpdateTenantPayload', 'Result of `updateTenant`.');

builder.mutationFields((t) => ({
  createTenant: t.field({
    description: 'Creates a tenant without users and groups. Only for callers who see all tenants.',
    type: CreateTenantPayload,
    args: { input: t.arg({ type: CreateTenantInput, required: true, description: 'The tenant to create.' }) },
    errors: typedErrors('createTenant', ['VALIDATION_FAILED', 'NOT_FOUND']),
    resolve: (_root, { input }, { directory }) => createTenant(directory, input),
  }),
  updateTenant: t.field({
    description: 'Renames a tenant. Only for callers who see all tenants.',
    type: UpdateTenantPayload,
    args: {
      input: t.arg({ type: UpdateTenantInput, required: true, description: 'The tenant and its new names.' }),
    },
    errors: typedErrors('updateTenant', ['VALIDATION_FAILED', 'NOT_FOUND']),
    // GraphQL has no type for a name that can be omitted but not null: the domain refuses null.
    resolve: (_root, { input }, { directory }) => updateTenant(directory, input as UpdateTenantFields),
  }),
}));

// The enums, filter and order of lists of groups.
import { GROUP_ORDER_FIELDS, GROUP_TYPES, ORDER_DIRECTIONS } from '../../model/groups.ts';
import { builder } from './builder.ts';
import { enumValues } from './enums.ts';

export const GroupType = builder.enumType('GroupType', {
  description: 'Purpose of a group.',
  values: enumValues(GROUP_TYPES, {
    SECURITY: 'Used for access control.',
    DISTRIBUTION: 'Used to distribute messages.',
  }),
});

export const OrderDirection = builder.enumType('OrderDirection', {
  description: 'Direction of an order.',
  values: enumValues(ORDER_DIRECTIONS, { ASC: 'Ascending.', DESC: 'Descending.' }),
});

const GroupOrderField = builder.enumType('GroupOrderField', {
  description: 'Fields by which groups can be ordered.',
  values: enumValues(GROUP_ORDER_FIELDS, {
    NAME: 'By name, ignoring case.',
    CREATED_AT: 'By creation time.',
  }),
});

export const GroupOrder = builder.inputType('GroupOrder', {
  description: 'The order of a list of groups. Groups with equal values are ordered by id.',
  fields: (t) => ({
    field: t.field({ type: GroupOrderField, required: true, description: 'The field to order by.' }),
    direction: t.field({
      type: OrderDirection,
      required: true,
      defaultValue: 'ASC',
      description: 'The direction of the order.',
    }),
  }),
});

export const GroupFilter = builder.inputType('GroupFilter', {
  description: 'Conditions on groups. A group must meet all of them.',
  fields: (t) => ({
    search: t.string({ description: 'Part of the name or description, ignoring case.' }),
    tenantId: t.id({ description: 'Only groups of this tenant.' }),
    partnerId: t.id({ description: 'Only groups of tenants of this partner.' }),
    type: t.field({ type: GroupType, description: 'Only groups of this type.' }),
    parentGroupId: t.id({ description: 'Only children of this group; null selects roots.' }),
    memberUserId: t.id({ description: 'Only groups with this direct member.' }),
  }),
});

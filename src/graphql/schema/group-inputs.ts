// The enums, the filter and the order of lists of groups.
import { GROUP_ORDER_FIELDS, GROUP_TYPES, ORDER_DIRECTIONS } from '../../model/groups.ts';
import { builder } from './builder.ts';
import { enumValues } from './enums.ts';

export const GroupType = builder.enumType('GroupType', {
  description: 'What a group is for.',
  values: enumValues(GROUP_TYPES, {
    SECURITY: 'Decides who gets in somewhere.',
    DISTRIBUTION: 'Decides who receives something.',
  }),
});

export const OrderDirection = builder.enumType('OrderDirection', {
  description: 'Which end of an order comes first.',
  values: enumValues(ORDER_DIRECTIONS, { ASC: 'The smallest first.', DESC: 'The largest first.' }),
});

const GroupOrderField = builder.enumType('GroupOrderField', {
  description: 'What groups can be ordered by.',
  values: enumValues(GROUP_ORDER_FIELDS, {
    NAME: 'By name, ignoring case.',
    CREATED_AT: 'By time of creation.',
  }),
});

export const GroupOrder = builder.inputType('GroupOrder', {
  description: 'The order of a list of groups; equals are ordered by id.',
  fields: (t) => ({
    field: t.field({ type: GroupOrderField, required: true, description: 'What to order by.' }),
    direction: t.field({
      type: OrderDirection,
      required: true,
      defaultValue: 'ASC',
      description: 'Which end comes first.',
    }),
  }),
});

export const GroupFilter = builder.inputType('GroupFilter', {
  description: 'Conditions on groups: each that is given must hold.',
  fields: (t) => ({
    search: t.string({ description: 'Part of the name or description, ignoring case.' }),
    tenantId: t.id({ description: 'Only groups of this tenant.' }),
    partnerId: t.id({ description: 'Only groups of tenants of this partner.' }),
    type: t.field({ type: GroupType, description: 'Only groups of this type.' }),
    parentGroupId: t.id({ description: 'Only children of this group; null asks for roots.' }),
    memberUserId: t.id({ description: 'Only groups with this direct member.' }),
  }),
});

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
    UPDATED_AT: 'By the time of the last change of the group itself.',
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

const SEARCH_GROUPS = 'Words of the name or description, in any order, ignoring case and accents.';

export const GroupFilter = builder.inputType('GroupFilter', {
  description: 'Conditions on groups. A group must meet all of them.',
  fields: (t) => ({
    ids: t.idList({ description: 'Only groups with these ids; at most 1,000.' }),
    search: t.string({ description: SEARCH_GROUPS }),
    tenantId: t.id({ description: 'Only groups of this tenant.' }),
    partnerId: t.id({ description: 'Only groups of tenants of this partner.' }),
    type: t.field({ type: GroupType, description: 'Only groups of this type.' }),
    parentGroupId: t.id({ description: 'Only children of this group; null selects roots.' }),
    underGroupId: t.id({ description: 'Only groups below this group in the hierarchy, at any depth.' }),
    memberUserId: t.id({ description: 'Only groups with this direct member.' }),
    updatedSince: t.field({
      type: 'DateTime',
      description: 'Only groups that were changed at or after this time, not counting members.',
    }),
    isEmpty: t.boolean({
      description: 'Only groups without direct members and nested groups; false selects the others.',
    }),
    customAttributes: t.field({
      type: 'JSONObject',
      description: 'Only groups whose custom attributes have all of these, with equal values.',
    }),
  }),
});

/** The filter and the order of a list of groups. */
export const groupListArgs = builder.args((t) => ({
  filter: t.field({ type: GroupFilter, description: 'Conditions that the groups must meet.' }),
  orderBy: t.field({
    type: GroupOrder,
    description: 'Order of the groups. The default is by name, ascending.',
  }),
}));

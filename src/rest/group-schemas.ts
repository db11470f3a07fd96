// Request and response schemas of groups in the reference, with the rules of the model.
import { z } from '@hono/zod-openapi';
import {
  createGroupInput,
  GROUP_TYPES,
  MAX_DESCRIPTION,
  MAX_IDS_PER_CALL,
  updateGroupInput,
} from '../model/groups.ts';
import { groupId, tenantId, userId } from '../model/ids.ts';
import { MEMBERSHIP_TYPES } from '../model/members.ts';
import { MAX_CHILDREN_PER_CALL } from '../model/nesting.ts';
import { MAX_LINE } from '../model/text.ts';

export const GroupType = z.enum(GROUP_TYPES).openapi('GroupType', { description: 'Group type.' });

const created = createGroupInput.shape;
const updated = updateGroupInput.shape;

/** Custom attributes, checked by the rules of the model. `z.record` is not used because it drops the key `__proto__`. */
const attributes = (rules: typeof created.customAttributes) =>
  z
    .unknown()
    .superRefine((value, ctx) => {
      if (isRecord(value)) return;
      ctx.issues.push({ code: 'invalid_type', expected: 'record', input: value });
    })
    .pipe(rules.unwrap().unwrap())
    .nullish()
    .openapi({
      type: ['object', 'null'],
      additionalProperties: {},
      description:
        'Any JSON object of at most 16 KiB and 8 levels. Numbers must be exact in double precision.',
    });

const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);

const NAME_DESCRIPTION = 'Name of 1 to 255 characters, unique among siblings, ignoring case.';
const DESCRIPTION_DESCRIPTION = 'Free text, at most 4,096 characters.';

export const GroupCreate = z
  .object({
    name: created.name.meta({ description: NAME_DESCRIPTION, minLength: 1, maxLength: MAX_LINE }),
    description: created.description.meta({
      description: DESCRIPTION_DESCRIPTION,
      maxLength: MAX_DESCRIPTION,
    }),
    group_type: GroupType.default('SECURITY').openapi({
      default: 'SECURITY',
      description: 'Purpose of the group. It cannot be changed.',
    }),
    parent_group_id: groupId
      .nullish()
      .meta({ description: 'The parent group. Without it, the group is a root.' }),
    initial_members: z
      .array(userId)
      .optional()
      .openapi({ maxItems: MAX_IDS_PER_CALL, description: 'Users to add as direct members; at most 1,000.' }),
    custom_attributes: attributes(created.customAttributes),
  })
  .openapi('GroupCreate', {
    description: 'Schema for creating a group.',
  });

export const AdminGroupCreate = GroupCreate.extend({
  tenant_id: tenantId.meta({ description: 'The tenant that the group belongs to.' }),
}).openapi('AdminGroupCreate', {
  description: 'Schema for creating a group in a tenant.',
});

export const GroupUpdate = z
  .object({
    name: updated.name.meta({
      description: `${NAME_DESCRIPTION} It cannot be cleared.`,
      minLength: 1,
      maxLength: MAX_LINE,
    }),
    description: updated.description.meta({
      description: `${DESCRIPTION_DESCRIPTION} Null clears it.`,
      maxLength: MAX_DESCRIPTION,
    }),
    parent_group_id: groupId
      .nullish()
      .meta({ description: 'The parent group. Null makes the group a root.' }),
    custom_attributes: attributes(updated.customAttributes),
  })
  .openapi('GroupUpdate', {
    description: 'Schema for updating a group. Omitted fields are left unchanged; null clears a field.',
  });

const userList = z.array(userId).optional();

export const GroupMembershipUpdate = z
  .object({
    users_to_add: userList.openapi({
      maxItems: MAX_IDS_PER_CALL,
      description: 'Users to add as direct members.',
    }),
    users_to_remove: userList.openapi({
      maxItems: MAX_IDS_PER_CALL,
      description: 'Users to remove from the direct members.',
    }),
  })
  .openapi('GroupMembershipUpdate', {
    description:
      'Schema for updating group membership: at most 1,000 ids in total, and no user in both lists.',
  });

export const UserIds = z
  .object({
    user_ids: z
      .array(userId)
      .openapi({ maxItems: MAX_IDS_PER_CALL, description: 'Users to add as direct members; at most 1,000.' }),
  })
  .openapi('UserIds', { description: 'Users to add to a group.' });

export const GroupIds = z
  .object({
    group_ids: z
      .array(groupId)
      .openapi({ maxItems: MAX_CHILDREN_PER_CALL, description: 'Groups to nest in the group; at most 100.' }),
  })
  .openapi('GroupIds', { description: 'Groups to nest in a group.' });

export const GroupMemberInfo = z
  .object({
    user_id: z.string(),
    email: z.string(),
    display_name: z.string().nullish(),
    membership_type: z.enum(MEMBERSHIP_TYPES).optional().openapi({
      default: 'DIRECT',
      description: '`INHERITED` if the user is only a member of a group nested in this one, at any depth.',
    }),
  })
  .openapi('GroupMemberInfo', { description: 'Member info within a group.' });

const memberCount = z
  .int()
  .optional()
  .openapi({ minimum: 0, default: 0, description: 'Number of direct members.' });

export const NestedGroupInfo = z
  .object({ group_id: z.string(), name: z.string(), member_count: memberCount })
  .openapi('NestedGroupInfo', { description: 'Nested group info.' });

export const GroupListItem = z
  .object({
    id: z.string(),
    name: z.string(),
    group_type: GroupType,
    member_count: memberCount,
    parent_group_id: z.string().nullish().openapi({ description: 'The parent group.' }),
  })
  .openapi('GroupListItem', {
    description: 'Abbreviated group info for lists. An end user gets `id`, `name` and `group_type` only.',
  });

export const GroupResponse = z
  .object({
    name: z.string(),
    description: z.string().nullish(),
    group_type: GroupType.optional().openapi({ default: 'SECURITY' }),
    id: z.string(),
    parent_group_id: z.string().nullish().openapi({ description: 'The parent group.' }),
    parent_group_path: z.string().nullish().openapi({
      description: 'Names of its ancestors, from the root down, joined by `/`; null for a root.',
    }),
    member_count: memberCount,
    effective_member_count: z.int().nullish().openapi({
      minimum: 0,
      description: 'Number of effective members; null unless requested by `include`.',
    }),
    nested_group_count: z
      .int()
      .optional()
      .openapi({ minimum: 0, default: 0, description: 'Number of groups nested directly in it.' }),
    members: z
      .array(GroupMemberInfo)
      .nullish()
      .openapi({ description: 'Null unless requested by `include`.' }),
    nested_groups: z
      .array(NestedGroupInfo)
      .nullish()
      .openapi({ description: 'Null unless requested by `include`.' }),
    custom_attributes: z.record(z.string(), z.unknown()).nullish(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime().nullish(),
  })
  .openapi('GroupResponse', { description: 'Full group response.' });

const tenant_id = z.string().openapi({ description: 'The tenant that the group belongs to.' });

export const AdminGroupResponse = GroupResponse.extend({ tenant_id }).openapi('AdminGroupResponse', {
  description: 'Full group response, with its tenant.',
});

export const AdminGroupListItem = GroupListItem.extend({ tenant_id }).openapi('AdminGroupListItem', {
  description: 'Abbreviated group info for lists, with its tenant.',
});

export const VisibleGroup = z
  .object({ id: z.string(), name: z.string(), group_type: GroupType })
  .openapi('VisibleGroup', {
    description: 'What an end user sees of a group that they are an effective member of.',
  });

const ids = (description: string) => z.array(z.string()).openapi({ description });

export const GroupMembersAdded = z
  .object({ added: ids('Users that were added.'), unchanged: ids('Users that were already members.') })
  .openapi('GroupMembersAdded', { description: 'Result of adding members.' });

export const GroupMembershipChange = z
  .object({
    added: ids('Users that were added.'),
    removed: ids('Users that were removed.'),
    unchanged: ids('Users whose membership did not change.'),
  })
  .openapi('GroupMembershipChange', { description: 'Result of updating the membership.' });

export const NestedGroupsAdded = z
  .object({ added: ids('Groups that were nested.'), unchanged: ids('Groups that were already nested.') })
  .openapi('NestedGroupsAdded', { description: 'Result of nesting groups.' });

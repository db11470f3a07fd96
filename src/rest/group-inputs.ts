// Converts request bodies of the reference into inputs of the domain's commands.
import type { z } from '@hono/zod-openapi';
import type { CreateGroupInput, UpdateGroupInput } from '../model/groups.ts';
import type { GroupId, TenantId } from '../model/ids.ts';
import type { GroupCreate, GroupUpdate } from './group-schemas.ts';

export function createInput(tenantId: TenantId, body: z.infer<typeof GroupCreate>): CreateGroupInput {
  return {
    tenantId,
    name: body.name,
    description: body.description,
    type: body.group_type,
    parentGroupId: body.parent_group_id,
    initialMemberIds: body.initial_members,
    customAttributes: body.custom_attributes,
  };
}

/** Fields that the body omits are undefined, which the command leaves unchanged. */
export function updateInput(
  id: GroupId,
  expectedVersion: number | undefined,
  body: z.infer<typeof GroupUpdate>,
): UpdateGroupInput {
  return {
    id,
    expectedVersion,
    name: body.name,
    description: body.description,
    parentGroupId: body.parent_group_id,
    customAttributes: body.custom_attributes,
  };
}

// Tenant endpoints that list, create, read, update and delete groups, and change their members.

import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { updateGroupMembers } from '../domain/commands/change-members.ts';
import { createGroup } from '../domain/commands/create-group.ts';
import { deleteGroup } from '../domain/commands/delete-group.ts';
import { updateGroup } from '../domain/commands/update-group.ts';
import { listGroups, requireGroupOf } from '../domain/queries/groups.ts';
import { requireTenantOfGroups } from '../domain/queries/tenants.ts';
import { isVisibleGroup } from '../domain/rows/groups.ts';
import type { RestEnv } from './context.ts';
import { apiResponse, enveloped, pageOf, paginatedResponse } from './envelopes.ts';
import { changeRefusals, deleteRefusals, includeRefusals, readRefusals } from './errors.ts';
import * as etags from './etags.ts';
import { BODIES } from './examples.ts';
import { createInput, updateInput } from './group-inputs.ts';
import {
  GroupCreate,
  GroupListItem,
  GroupMembershipChange,
  GroupMembershipUpdate,
  GroupResponse,
  GroupUpdate,
  VisibleGroup,
} from './group-schemas.ts';
import { json, jsonBody, jsonRequest } from './json.ts';
import {
  deletedTenantGroupPath,
  includeQuery,
  strategyQuery,
  tenantGroupPath,
  tenantGroupsQuery,
  tenantPath,
} from './parameters.ts';
import { groupListItems, groupResponse, visibleGroup } from './responses.ts';

const LIST = '/api/v1/tenants/{tenant_id}/groups';
const ONE = `${LIST}/{group_id}` as const;
const tags = ['Groups'];

const GroupEnvelope = apiResponse('GroupResponse', GroupResponse);
export const VisibleGroupEnvelope = apiResponse('VisibleGroup', VisibleGroup);

export function tenantGroups(api: OpenAPIHono<RestEnv>): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: LIST,
      operationId: 'listGroups',
      summary: 'List Tenant Groups',
      description: 'List groups in the tenant directory, by name.',
      tags,
      request: { params: tenantPath, query: tenantGroupsQuery },
      responses: {
        200: json('A page of groups.', paginatedResponse('GroupListItem', GroupListItem)),
        ...readRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const { tenant_id: tenantId } = c.req.valid('param');
      const { search, type, parent_group_id: parentGroupId, user_id, ...numbered } = c.req.valid('query');
      await requireTenantOfGroups(directory, tenantId);
      const filter = { tenantId, search, type, parentGroupId, memberUserId: user_id };
      const page = await pageOf(
        c,
        numbered,
        (page) => listGroups(directory, { filter, page }),
        groupListItems,
      );
      return c.json(page, 200);
    },
  );

  api.openapi(
    createRoute({
      method: 'post',
      path: LIST,
      operationId: 'createGroup',
      summary: 'Create Tenant Group',
      description: 'Create a new group.',
      tags,
      middleware: [jsonBody] as const,
      request: { params: tenantPath, body: jsonRequest(GroupCreate, BODIES.createGroup) },
      responses: {
        201: { ...json('The new group.', GroupEnvelope), headers: etags.createdHeaders },
        ...changeRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const { tenant_id: tenantId } = c.req.valid('param');
      const { group } = await createGroup(directory, createInput(tenantId, c.req.valid('json')));
      const Location = `/api/v1/tenants/${tenantId}/groups/${group.id}`;
      const data = await groupResponse(directory, group);
      return c.json(enveloped(c, data), 201, { ...etags.etag(group, data), Location });
    },
  );

  api.openapi(
    createRoute({
      method: 'get',
      path: ONE,
      operationId: 'getGroup',
      summary: 'Get Tenant Group',
      description: 'Get a group by ID.',
      tags,
      request: { params: tenantGroupPath, query: includeQuery, headers: etags.ifNoneMatch },
      responses: {
        304: etags.notModifiedResponse,
        200: { ...json('The group.', GroupEnvelope.or(VisibleGroupEnvelope)), headers: etags.etagHeaders },
        ...includeRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const { tenant_id, group_id } = c.req.valid('param');
      const { include } = c.req.valid('query');
      const group = await requireGroupOf(directory, tenant_id, group_id);
      if (isVisibleGroup(group)) return c.json(enveloped(c, visibleGroup(group)), 200);
      const data = await groupResponse(directory, group, include);
      return c.json(enveloped(c, data), 200, etags.etag(group, data));
    },
  );

  api.openapi(
    createRoute({
      method: 'patch',
      path: ONE,
      operationId: 'updateGroup',
      summary: 'Update Tenant Group',
      description: 'Update a group.',
      tags,
      middleware: [jsonBody] as const,
      request: {
        params: tenantGroupPath,
        headers: etags.ifMatch,
        body: jsonRequest(GroupUpdate, BODIES.updateGroup),
      },
      responses: {
        200: { ...json('The updated group.', GroupEnvelope), headers: etags.etagHeaders },
        ...changeRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const { tenant_id, group_id } = c.req.valid('param');
      await requireGroupOf(directory, tenant_id, group_id);
      const version = etags.expectedVersion(c.req.valid('header'));
      const { group } = await updateGroup(directory, updateInput(group_id, version, c.req.valid('json')));
      const data = await groupResponse(directory, group);
      return c.json(enveloped(c, data), 200, etags.etag(group, data));
    },
  );

  api.openapi(
    createRoute({
      method: 'delete',
      path: ONE,
      operationId: 'deleteGroup',
      summary: 'Delete Tenant Group',
      description: [
        'Delete a group.',
        '',
        'strategy:',
        '- BLOCK: Fail if has members or child groups',
        '- ORPHAN: Move child groups to parent',
        '- CASCADE: Delete child groups',
      ].join('\n'),
      tags,
      request: { params: deletedTenantGroupPath, query: strategyQuery, headers: etags.ifMatch },
      responses: { 204: { description: 'Successful Response' }, ...deleteRefusals },
    }),
    async (c) => {
      const { directory } = c.var;
      const { tenant_id, group_id: id } = c.req.valid('param');
      const { strategy } = c.req.valid('query');
      await requireGroupOf(directory, tenant_id, id);
      await deleteGroup(directory, {
        id,
        strategy,
        expectedVersion: etags.expectedVersion(c.req.valid('header')),
      });
      return c.body(null, 204);
    },
  );

  api.openapi(
    createRoute({
      method: 'put',
      path: `${ONE}/members`,
      operationId: 'updateGroupMembers',
      summary: 'Update Tenant Group Members',
      description: 'Add or remove users from a group.',
      tags,
      middleware: [jsonBody] as const,
      request: { params: tenantGroupPath, body: jsonRequest(GroupMembershipUpdate, BODIES.updateMembers) },
      responses: {
        200: json(
          'The users that were added, removed or left unchanged.',
          apiResponse('GroupMembershipChange', GroupMembershipChange),
        ),
        ...changeRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const { tenant_id, group_id: groupId } = c.req.valid('param');
      const { users_to_add: usersToAdd, users_to_remove: usersToRemove } = c.req.valid('json');
      await requireGroupOf(directory, tenant_id, groupId);
      const { added, removed, unchanged } = await updateGroupMembers(directory, {
        groupId,
        usersToAdd,
        usersToRemove,
      });
      return c.json(enveloped(c, { added, removed, unchanged }), 200);
    },
  );
}

// Admin endpoints that list, create, read, update and delete groups of all visible tenants.

import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { createGroup } from '../domain/commands/create-group.ts';
import { deleteGroup } from '../domain/commands/delete-group.ts';
import { updateGroup } from '../domain/commands/update-group.ts';
import { listGroups, requireGroup } from '../domain/queries/groups.ts';
import { isVisibleGroup } from '../domain/rows/groups.ts';
import type { RestEnv } from './context.ts';
import { apiResponse, enveloped, pageOf, paginatedResponse } from './envelopes.ts';
import { changeRefusals, deleteRefusals, listRefusals, readRefusals } from './errors.ts';
import * as etags from './etags.ts';
import { BODIES } from './examples.ts';
import { createInput, updateInput } from './group-inputs.ts';
import { AdminGroupCreate, AdminGroupListItem, AdminGroupResponse, GroupUpdate } from './group-schemas.ts';
import { json, jsonBody, jsonRequest } from './json.ts';
import { adminGroupsQuery, deletedGroupPath, groupPath } from './parameters.ts';
import { adminGroupListItems, adminGroupResponse, visibleGroup } from './responses.ts';
import { VisibleGroupEnvelope } from './tenant-groups.ts';

const LIST = '/api/v1/admin/groups/';
const ONE = `${LIST}{group_id}` as const;
const tags = ['Admin groups'];

const AdminGroupEnvelope = apiResponse('AdminGroupResponse', AdminGroupResponse);

export function adminGroups(api: OpenAPIHono<RestEnv>): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: LIST,
      operationId: 'adminListGroups',
      summary: 'List Groups',
      description: 'List groups with filtering, by name.',
      tags,
      request: { query: adminGroupsQuery },
      responses: {
        200: json('A page of groups.', paginatedResponse('AdminGroupListItem', AdminGroupListItem)),
        ...listRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const { search, tenant_id, partner_id, group_type, ...numbered } = c.req.valid('query');
      const filter = { search, tenantId: tenant_id, partnerId: partner_id, type: group_type };
      const page = await pageOf(
        c,
        numbered,
        (page) => listGroups(directory, { filter, page }),
        adminGroupListItems,
      );
      return c.json(page, 200);
    },
  );

  api.openapi(
    createRoute({
      method: 'post',
      path: LIST,
      operationId: 'adminCreateGroup',
      summary: 'Create Group',
      description: 'Create a new group.',
      tags,
      middleware: [jsonBody] as const,
      request: { body: jsonRequest(AdminGroupCreate, BODIES.adminCreateGroup) },
      responses: {
        201: { ...json('The new group.', AdminGroupEnvelope), headers: etags.createdHeaders },
        ...changeRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const { tenant_id, ...body } = c.req.valid('json');
      const { group } = await createGroup(directory, createInput(tenant_id, body));
      const data = await adminGroupResponse(directory, group);
      const headers = { ...etags.etag(group, data), Location: `${LIST}${group.id}` };
      return c.json(enveloped(c, data), 201, headers);
    },
  );

  api.openapi(
    createRoute({
      method: 'get',
      path: ONE,
      operationId: 'adminGetGroup',
      summary: 'Get Group',
      description: 'Get a group by ID.',
      tags,
      request: { params: groupPath, headers: etags.ifNoneMatch },
      responses: {
        304: etags.notModifiedResponse,
        200: {
          ...json('The group.', AdminGroupEnvelope.or(VisibleGroupEnvelope)),
          headers: etags.etagHeaders,
        },
        ...readRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const group = await requireGroup(directory, c.req.valid('param').group_id);
      if (isVisibleGroup(group)) return c.json(enveloped(c, visibleGroup(group)), 200);
      const data = await adminGroupResponse(directory, group);
      return c.json(enveloped(c, data), 200, etags.etag(group, data));
    },
  );

  api.openapi(
    createRoute({
      method: 'patch',
      path: ONE,
      operationId: 'adminUpdateGroup',
      summary: 'Update Group',
      description: 'Update a group.',
      tags,
      middleware: [jsonBody] as const,
      request: {
        params: groupPath,
        headers: etags.ifMatch,
        body: jsonRequest(GroupUpdate, BODIES.updateGroup),
      },
      responses: {
        200: { ...json('The updated group.', AdminGroupEnvelope), headers: etags.etagHeaders },
        ...changeRefusals,
      },
    }),
    async (c) => {
      const { directory } = c.var;
      const { group_id } = c.req.valid('param');
      const version = etags.expectedVersion(c.req.valid('header'));
      const { group } = await updateGroup(directory, updateInput(group_id, version, c.req.valid('json')));
      const data = await adminGroupResponse(directory, group);
      return c.json(enveloped(c, data), 200, etags.etag(group, data));
    },
  );

  api.openapi(
    createRoute({
      method: 'delete',
      path: ONE,
      operationId: 'adminDeleteGroup',
      summary: 'Delete Group',
      description: [
        'Soft delete a group.',
        '',
        'Child groups move to its parent, and nested groups move into the groups that it was nested in: the',
        'strategy ORPHAN.',
      ].join('\n'),
      tags,
      request: { params: deletedGroupPath, headers: etags.ifMatch },
      responses: { 204: { description: 'Successful Response' }, ...deleteRefusals },
    }),
    async (c) => {
      await deleteGroup(c.var.directory, {
        id: c.req.valid('param').group_id,
        strategy: 'ORPHAN',
        expectedVersion: etags.expectedVersion(c.req.valid('header')),
      });
      return c.body(null, 204);
    },
  );
}

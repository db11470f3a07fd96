// Admin endpoints that list a visible group's nested groups and parent groups, and add or remove nested groups.
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { addNestedGroups, removeNestedGroup } from '../domain/commands/nest-groups.ts';
import { requireGroup } from '../domain/queries/groups.ts';
import { nestedGroups, parentGroups } from '../domain/queries/nesting.ts';
import type { RestEnv } from './context.ts';
import { apiResponse, enveloped, pageOf, paginatedResponse } from './envelopes.ts';
import { changeRefusals, readRefusals, writeRefusals } from './errors.ts';
import { BODIES } from './examples.ts';
import { GroupIds, NestedGroupInfo, NestedGroupsAdded } from './group-schemas.ts';
import { json, jsonBody, jsonRequest } from './json.ts';
import { orNotFound } from './or-not-found.ts';
import { groupPath, nestedGroupPath, numbered } from './parameters.ts';
import { nestedGroupInfos } from './responses.ts';

const ONE = '/api/v1/admin/groups/{group_id}';
const tags = ['Admin groups'];

const NestedGroupPage = paginatedResponse('NestedGroupInfo', NestedGroupInfo);

export function adminNesting(api: OpenAPIHono<RestEnv>): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: `${ONE}/nested-groups`,
      operationId: 'adminListNestedGroups',
      summary: 'List Nested Groups',
      description: 'List child groups nested within this group, by name.',
      tags,
      request: { params: groupPath, query: numbered },
      responses: { 200: json('A page of groups.', NestedGroupPage), ...readRefusals },
    }),
    async (c) => {
      const { directory } = c.var;
      const { id } = await requireGroup(directory, c.req.valid('param').group_id);
      const page = await pageOf(
        c,
        c.req.valid('query'),
        async (page) => orNotFound(id, await nestedGroups.page(directory, id, { page })),
        nestedGroupInfos,
      );
      return c.json(page, 200);
    },
  );

  api.openapi(
    createRoute({
      method: 'post',
      path: `${ONE}/nested-groups`,
      operationId: 'adminAddNestedGroups',
      summary: 'Add Nested Groups',
      description: 'Add child groups to nest within this group.',
      tags,
      middleware: [jsonBody] as const,
      request: { params: groupPath, body: jsonRequest(GroupIds, BODIES.nestGroups) },
      responses: {
        200: json(
          'The groups that were nested, and those left unchanged.',
          apiResponse('NestedGroupsAdded', NestedGroupsAdded),
        ),
        ...changeRefusals,
      },
    }),
    async (c) => {
      const { group_id: groupId } = c.req.valid('param');
      const { group_ids: childGroupIds } = c.req.valid('json');
      const { added, unchanged } = await addNestedGroups(c.var.directory, { groupId, childGroupIds });
      return c.json(enveloped(c, { added, unchanged }), 200);
    },
  );

  api.openapi(
    createRoute({
      method: 'delete',
      path: `${ONE}/nested-groups/{child_group_id}`,
      operationId: 'adminRemoveNestedGroup',
      summary: 'Remove Nested Group',
      description: "Remove a child group from this group's nested groups.",
      tags,
      request: { params: nestedGroupPath },
      responses: { 204: { description: 'Successful Response' }, ...writeRefusals },
    }),
    async (c) => {
      const { group_id: groupId, child_group_id: childGroupId } = c.req.valid('param');
      await removeNestedGroup(c.var.directory, { groupId, childGroupId });
      return c.body(null, 204);
    },
  );

  api.openapi(
    createRoute({
      method: 'get',
      path: `${ONE}/parent-groups`,
      operationId: 'adminListParentGroups',
      summary: 'List Parent Groups',
      description: 'List parent groups that this group is nested within, by name.',
      tags,
      request: { params: groupPath, query: numbered },
      responses: { 200: json('A page of groups.', NestedGroupPage), ...readRefusals },
    }),
    async (c) => {
      const { directory } = c.var;
      const { id } = await requireGroup(directory, c.req.valid('param').group_id);
      const page = await pageOf(
        c,
        c.req.valid('query'),
        async (page) => orNotFound(id, await parentGroups.page(directory, id, { page })),
        nestedGroupInfos,
      );
      return c.json(page, 200);
    },
  );
}

// Admin endpoints that list direct and effective members of a visible group, and add or remove direct members.
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { addGroupMembers } from '../domain/commands/add-members.ts';
import { removeGroupMembers } from '../domain/commands/change-members.ts';
import { listEffectiveMembers } from '../domain/queries/effective-members.ts';
import { requireGroup } from '../domain/queries/groups.ts';
import { listMembers } from '../domain/queries/members.ts';
import { isDirectoryError, refuse } from '../model/errors.ts';
import type { RestEnv } from './context.ts';
import { apiResponse, enveloped, pageOf, paginatedResponse } from './envelopes.ts';
import { changeRefusals, readRefusals, writeRefusals } from './errors.ts';
import { BODIES } from './examples.ts';
import { GroupMemberInfo, GroupMembersAdded, UserIds } from './group-schemas.ts';
import { json, jsonBody, jsonRequest } from './json.ts';
import { orNotFound } from './or-not-found.ts';
import { groupPath, memberPath, numbered } from './parameters.ts';
import { memberInfo } from './responses.ts';

const ONE = '/api/v1/admin/groups/{group_id}';
const tags = ['Admin groups'];

const MemberPage = paginatedResponse('GroupMemberInfo', GroupMemberInfo);

export function adminMembers(api: OpenAPIHono<RestEnv>): void {
  api.openapi(
    createRoute({
      method: 'get',
      path: `${ONE}/members`,
      operationId: 'adminListGroupMembers',
      summary: 'List Group Members',
      description: 'List members of a group, by user id.',
      tags,
      request: { params: groupPath, query: numbered },
      responses: { 200: json('A page of members.', MemberPage), ...readRefusals },
    }),
    async (c) => {
      const { directory } = c.var;
      const { id } = await requireGroup(directory, c.req.valid('param').group_id);
      const page = await pageOf(
        c,
        c.req.valid('query'),
        async (page) => orNotFound(id, await listMembers(directory, id, { page })),
        (rows) => rows.map(memberInfo),
      );
      return c.json(page, 200);
    },
  );

  api.openapi(
    createRoute({
      method: 'post',
      path: `${ONE}/members`,
      operationId: 'adminAddGroupMembers',
      summary: 'Add Group Members',
      description: 'Add members to a group.',
      tags,
      middleware: [jsonBody] as const,
      request: { params: groupPath, body: jsonRequest(UserIds, BODIES.addMembers) },
      responses: {
        200: json(
          'The users that were added, and those left unchanged.',
          apiResponse('GroupMembersAdded', GroupMembersAdded),
        ),
        ...changeRefusals,
      },
    }),
    async (c) => {
      const { group_id: groupId } = c.req.valid('param');
      const { user_ids: userIds } = c.req.valid('json');
      const { added, unchanged } = await addGroupMembers(c.var.directory, { groupId, userIds });
      return c.json(enveloped(c, { added, unchanged }), 200);
    },
  );

  api.openapi(
    createRoute({
      method: 'delete',
      path: `${ONE}/members/{user_id}`,
      operationId: 'adminRemoveGroupMember',
      summary: 'Remove Group Member',
      description: 'Remove a member from a group. Removing a user who is not a member changes nothing.',
      tags,
      request: { params: memberPath },
      responses: { 204: { description: 'Successful Response' }, ...writeRefusals },
    }),
    async (c) => {
      const { group_id: groupId, user_id: userId } = c.req.valid('param');
      await removeGroupMembers(c.var.directory, { groupId, userIds: [userId] }).catch((error) => {
        // The user id is part of the path, so an unknown user is 404, like any other unknown id in a path.
        throw isDirectoryError(error, 'UNKNOWN_USERS') ? refuse.notFound(userId) : error;
      });
      return c.body(null, 204);
    },
  );

  api.openapi(
    createRoute({
      method: 'get',
      path: `${ONE}/effective-members`,
      operationId: 'adminListEffectiveMembers',
      summary: 'List Effective Members',
      description: [
        'List all effective members of a group, including inherited members from nested groups, by user id.',
        '',
        'This computes the transitive closure of group memberships.',
      ].join('\n'),
      tags,
      request: { params: groupPath, query: numbered },
      responses: { 200: json('A page of effective members.', MemberPage), ...readRefusals },
    }),
    async (c) => {
      const { directory } = c.var;
      const { id } = await requireGroup(directory, c.req.valid('param').group_id);
      const page = await pageOf(
        c,
        c.req.valid('query'),
        async (page) => orNotFound(id, await listEffectiveMembers(directory, id, { page })),
        (rows) => rows.map(memberInfo),
      );
      return c.json(page, 200);
    },
  );
}

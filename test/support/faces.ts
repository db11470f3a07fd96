// One set of verbs over each face, so that a scenario can be run through all of them.

import type { Database } from '../../src/database/database.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { addNestedGroups, removeNestedGroup } from '../../src/domain/commands/nest-groups.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import type { Directory } from '../../src/domain/directory.ts';
import { listEffectiveMembers } from '../../src/domain/queries/effective-members.ts';
import { findGroup } from '../../src/domain/queries/groups.ts';
import { groupPath } from '../../src/domain/queries/hierarchy.ts';
import type { ErrorCode } from '../../src/model/errors.ts';
import type { DeleteStrategy } from '../../src/model/groups.ts';
import { type RestAnswer, startApp } from './server.ts';

/** Refusals are thrown as `{code, details}`. */
export type Face = {
  create(group: { name: string; members: string[] }): Promise<string>;
  update(change: { id: string; name?: string; parent?: string }): Promise<unknown>;
  nest(parent: string, child: string): Promise<unknown>;
  unnest(parent: string, child: string): Promise<unknown>;
  delete(id: string, strategy?: string): Promise<unknown>;
  restore(id: string, includeDescendants: boolean): Promise<unknown>;
  effectiveMembers(id: string): Promise<string[]>;
  path(id: string): Promise<string | null>;
  exists(id: string): Promise<boolean>;
};

export function domainFace(directory: Directory, tenantId: string): Face {
  return {
    create: async ({ name, members }) =>
      (await createGroup(directory, { tenantId, name, initialMemberIds: members })).group.id,
    update: ({ id, name, parent }) =>
      updateGroup(directory, {
        id,
        ...(name !== undefined && { name }),
        ...(parent !== undefined && { parentGroupId: parent }),
      }),
    nest: (groupId, child) => addNestedGroups(directory, { groupId, childGroupIds: [child] }),
    unnest: (groupId, childGroupId) => removeNestedGroup(directory, { groupId, childGroupId }),
    delete: (id, strategy) =>
      deleteGroup(directory, { id, strategy: strategy as DeleteStrategy | undefined }),
    restore: (id, includeDescendants) => restoreGroup(directory, { id, includeDescendants }),
    effectiveMembers: async (id) =>
      (await listEffectiveMembers(directory, id, { page: { first: 100 } }))!.rows.map((row) => row.userId),
    path: (id) => groupPath(directory, id),
    exists: async (id) => (await findGroup(directory, id)) !== null,
  };
}

/** What a refusal may carry beside its message and code, for the mutations where it can. */
const DETAILS: Record<string, string> = {
  createGroup: '... on NameTakenError { names }',
  updateGroup: '... on NameTakenError { names } ... on CycleError { path { id: groupId name } }',
  addNestedGroups: '... on CycleError { path { id: groupId name } }',
  deleteGroup:
    '... on NameTakenError { names } ... on GroupNotEmptyError { counts { members children nestedGroups } }',
  restoreGroup: '... on NameTakenError { names }',
};

export async function graphqlFace(db: Database, tenantId: string): Promise<Face> {
  const server = await startApp(db);
  const claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
  const mutate = async (name: string, payload: string, input: object) => {
    const type = `${name[0]!.toUpperCase()}${name.slice(1)}`;
    const text = `mutation ($input: ${type}Input!) { ${name}(input: $input) { ... on ${type}Payload { ${payload} } ... on Error { message code } ${DETAILS[name] ?? ''} } }`;
    const result = (await server.data(claims, text, { input }))[name];
    if (result.code) throw { code: result.code, details: result };
    return result;
  };
  const ask = async (id: string, selection: string) =>
    (await server.data(claims, `query ($id: ID!) { group(id: $id) { ${selection} } }`, { id })).group;
  return {
    create: async ({ name, members }) =>
      (await mutate('createGroup', 'group { id }', { tenantId, name, initialMemberIds: members })).group.id,
    update: ({ id, name, parent }) =>
      mutate('updateGroup', 'group { id }', { id, name, parentGroupId: parent }),
    nest: (groupId, child) => mutate('addNestedGroups', 'added', { groupId, childGroupIds: [child] }),
    unnest: (groupId, childGroupId) => mutate('removeNestedGroup', 'group { id }', { groupId, childGroupId }),
    delete: (id, strategy) => mutate('deleteGroup', 'deletedGroupIds', { id, strategy }),
    restore: (id, includeDescendants) =>
      mutate('restoreGroup', 'restoredGroupIds', { id, includeDescendants }),
    effectiveMembers: async (id) =>
      (
        await ask(id, 'effectiveMembers(first: 100) { edges { node { userId } } }')
      ).effectiveMembers.edges.map((edge: { node: { userId: string } }) => edge.node.userId),
    path: async (id) => (await ask(id, 'path')).path,
    exists: async (id) => (await ask(id, 'id')) !== null,
  };
}

/** Codes that a status alone tells; the others stand in the answer. */
const CODES: Record<number, ErrorCode> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  422: 'VALIDATION_FAILED',
  503: 'UNAVAILABLE',
};

/** A refused answer as the domain would say it; null for one that is not refused. */
export function restRefusal({ status, body }: RestAnswer) {
  if (status < 400) return null;
  const structured = typeof body.detail === 'object' && !Array.isArray(body.detail) ? body.detail : {};
  const { code = CODES[status], message = body.detail, counts, ...more } = structured;
  const { nested_groups: nestedGroups, ...others } = counts ?? {};
  const details = { ...more, ...(counts && { counts: { ...others, nestedGroups } }) };
  return { code: code as string, message: message as string, details };
}

export async function restFace(db: Database, tenantId: string): Promise<Face> {
  const server = await startApp(db);
  const claims = { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId };
  const call = async (line: string, body?: object) => {
    const answer = await server.rest(claims, line, body);
    const refusal = restRefusal(answer);
    if (refusal) throw refusal;
    return answer.body?.data;
  };
  const admin = '/api/v1/admin/groups';
  const groups = `/api/v1/tenants/${tenantId}/groups`;
  return {
    create: async ({ name, members }) =>
      (await call(`POST ${groups}`, { name, initial_members: members })).id,
    update: ({ id, name, parent }) => call(`PATCH ${groups}/${id}`, { name, parent_group_id: parent }),
    nest: (id, child) => call(`POST ${admin}/${id}/nested-groups`, { group_ids: [child] }),
    unnest: (id, child) => call(`DELETE ${admin}/${id}/nested-groups/${child}`),
    delete: (id, strategy) => call(`DELETE ${groups}/${id}${strategy ? `?strategy=${strategy}` : ''}`),
    // The reference has no way back: the other face brings it back, and this one is asked what came of it.
    restore: (await graphqlFace(db, tenantId)).restore,
    effectiveMembers: async (id) =>
      (await call(`GET ${admin}/${id}/effective-members?per_page=100`)).map(
        (member: { user_id: string }) => member.user_id,
      ),
    path: async (id) => (await call(`GET ${groups}/${id}`)).parent_group_path,
    exists: async (id) => (await server.rest(claims, `GET ${groups}/${id}`)).status !== 404,
  };
}

// Holds openapi.json to the code and to the reference's names, and lints it with two linters by others.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openApiDocument, printOpenApi } from '../../src/rest/openapi.ts';

const ROOT = join(import.meta.dirname, '../..');
// biome-ignore lint/suspicious/noExplicitAny: a document to be looked into.
const document = JSON.parse(printOpenApi()) as any;

test('openapi.json is what the code defines', async () => {
  const committed = await readFile(join(ROOT, 'openapi.json'), 'utf8').catch(() => '');
  expect(committed === printOpenApi(), 'openapi.json is out of date: run `npm run openapi`').toBe(true);
  expect(document.openapi).toBe('3.1.0');
});

test('the operations are those of the reference, the changes of a tenant, and those of AuthZEN', () => {
  const operations = Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const one = '/api/v1/admin/groups/{group_id}';
  const tenant = '/api/v1/tenants/{tenant_id}/groups';
  expect(operations.toSorted()).toEqual(
    [
      'GET /api/v1/tenants/{tenant_id}/changes',
      'GET /api/v1/admin/groups/',
      'POST /api/v1/admin/groups/',
      `DELETE ${one}`,
      `GET ${one}`,
      `PATCH ${one}`,
      `GET ${one}/effective-members`,
      `GET ${one}/members`,
      `POST ${one}/members`,
      `DELETE ${one}/members/{user_id}`,
      `GET ${one}/nested-groups`,
      `POST ${one}/nested-groups`,
      `DELETE ${one}/nested-groups/{child_group_id}`,
      `GET ${one}/parent-groups`,
      `GET ${tenant}`,
      `POST ${tenant}`,
      `DELETE ${tenant}/{group_id}`,
      `GET ${tenant}/{group_id}`,
      `PATCH ${tenant}/{group_id}`,
      `PUT ${tenant}/{group_id}/members`,
      'POST /access/v1/evaluation',
      'POST /access/v1/evaluations',
      'GET /.well-known/authzen-configuration',
    ].toSorted(),
  );
});

/** Fields of each schema of the reference; those that it requires are starred. */
const REFERENCE: Record<string, string> = {
  ApiResponse_GroupResponse_: 'data* meta',
  GroupCreate: 'name* description group_type parent_group_id initial_members custom_attributes',
  GroupListItem: 'id* name* group_type* member_count parent_group_id',
  GroupMemberInfo: 'user_id* email* display_name membership_type',
  GroupMembershipUpdate: 'users_to_add users_to_remove',
  GroupResponse:
    'name* description group_type id* parent_group_id parent_group_path member_count effective_member_count nested_group_count members nested_groups custom_attributes created_at* updated_at',
  GroupUpdate: 'name description parent_group_id custom_attributes',
  HTTPValidationError: 'detail',
  MetaResponse: 'request_id timestamp',
  NestedGroupInfo: 'group_id* name* member_count',
  PaginatedResponse_GroupListItem_: 'data* pagination* meta',
  PaginationMeta: 'page* per_page* total_items* total_pages*',
  ValidationError: 'loc* msg* type*',
};

test.each(Object.entries(REFERENCE))('%s has the fields of the reference', (name, fields) => {
  const { properties, required = [] } = document.components.schemas[name];
  expect(Object.keys(properties).map((field) => (required.includes(field) ? `${field}*` : field))).toEqual(
    fields.split(' '),
  );
});

test('GroupType has the values of the reference', () => {
  expect(document.components.schemas.GroupType.enum).toEqual(['SECURITY', 'DISTRIBUTION']);
});

/** Parameters of each operation as the reference lists them; its `authorization` is the security scheme here. */
const PARAMETERS: Record<string, string> = {
  adminListGroups: 'page per_page search tenant_id partner_id group_type',
  adminListGroupMembers: 'group_id page per_page',
  adminListEffectiveMembers: 'group_id page per_page',
  adminRemoveGroupMember: 'group_id user_id',
  adminListNestedGroups: 'group_id page per_page',
  adminListParentGroups: 'group_id page per_page',
  adminRemoveNestedGroup: 'group_id child_group_id',
  listGroups: 'tenant_id page per_page search type parent_group_id user_id',
  createGroup: 'tenant_id',
  getGroup: 'tenant_id group_id include',
  updateGroup: 'tenant_id group_id',
  deleteGroup: 'tenant_id group_id strategy',
  updateGroupMembers: 'tenant_id group_id',
};

test.each(Object.entries(PARAMETERS))('%s takes the parameters of the reference', (id, names) => {
  type Operation = { operationId: string; parameters: { name: string; in: string }[] };
  const operations = Object.values(document.paths as Record<string, Record<string, Operation>>).flatMap(
    (methods) => Object.values(methods),
  );
  const { parameters } = operations.find((operation) => operation.operationId === id)!;
  const own = parameters.filter((parameter) => parameter.in !== 'header');
  expect(own.map((parameter) => parameter.name).toSorted()).toEqual(names.split(' ').toSorted());
});

test('generating it twice gives the same document', () => {
  expect(openApiDocument()).toEqual(openApiDocument());
});

describe('linters find nothing', () => {
  const run = promisify(execFile);
  const bin = (name: string) => join(ROOT, 'test/node_modules/.bin', name);
  const options = {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  };

  test('spectral', async () => {
    const { stdout } = await run(bin('spectral'), ['lint', '--fail-severity=hint', 'openapi.json'], options);
    expect(stdout).toContain("No results with a severity of 'hint' or higher found!");
  });

  test('redocly', async () => {
    const { stdout } = await run(bin('redocly'), ['lint', '--format=json', 'openapi.json'], options);
    const { totals } = JSON.parse(stdout);
    // What is ignored is the slash alone: see .redocly.lint-ignore.yaml.
    expect(totals).toEqual({ errors: 0, warnings: 0, ignored: 1 });
  });
});

// The 19 operations on one Hono app, and how a request that breaks their schemas is answered: with every fault.
import { type Hook, OpenAPIHono, type RouteConfig, type z } from '@hono/zod-openapi';
import { routePath } from 'hono/route';
import { getPath } from 'hono/utils/url';
import { adminGroups } from './admin-groups.ts';
import { adminMembers } from './admin-members.ts';
import { adminNesting } from './admin-nesting.ts';
import type { RestContext, RestEnv } from './context.ts';
import { GroupType } from './group-schemas.ts';
import { tenantGroups } from './tenant-groups.ts';
import { faultsOf, type Part, type ValidationError, wording } from './validation-errors.ts';

export type Api = OpenAPIHono<RestEnv>;

/** An app without operations. The two list paths answer with and without their trailing slash. */
export function createApi(): Api {
  const api: Api = new OpenAPIHono<RestEnv>({
    getPath: (request) => canonicalPath(getPath(request)),
    defaultHook: ((result, c) => (result.success ? undefined : everyFault(api, c))) as Hook<
      unknown,
      RestEnv,
      string,
      unknown
    >,
  });
  api.openAPIRegistry.registerComponent('securitySchemes', 'bearerAuth', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A token of the identity platform.',
  });
  // Before any use with a default of its own, which the generator would else write into the component.
  api.openAPIRegistry.register('GroupType', GroupType);
  return api;
}

/** Adds the operations of the reference, in its order. */
export function addOperations(api: Api): void {
  adminGroups(api);
  adminMembers(api);
  adminNesting(api);
  tenantGroups(api);
}

/** The list paths as the reference writes them: the admin's ends in a slash, the tenant's does not. */
function canonicalPath(path: string): string {
  if (path === '/api/v1/admin/groups') return `${path}/`;
  return /^\/api\/v1\/tenants\/[^/]+\/groups\/$/.test(path) ? path.slice(0, -1) : path;
}

/** The faults of path, query, headers and body together: hono's validators run one by one and stop at the first part. */
async function everyFault(api: Api, c: RestContext): Promise<Response> {
  const { params, query, headers, body } = requestOf(api, c);
  const parts: [Part, unknown, () => unknown][] = [
    ['path', params, () => c.req.param()],
    ['query', query, () => queryOf(c)],
    ['header', headers, () => c.req.header()],
    ['body', bodySchema(body), () => c.req.json()],
  ];
  const faults: ValidationError[] = [];
  for (const [part, schema, read] of parts) {
    if (!schema) continue;
    const value = await read();
    const { error } = (schema as z.ZodType).safeParse(value, { error: wording });
    faults.push(...faultsOf(part, error?.issues ?? [], value));
  }
  return c.json({ detail: faults }, 422);
}

function requestOf(api: Api, c: RestContext): NonNullable<RouteConfig['request']> {
  const [method, path] = [c.req.method === 'HEAD' ? 'GET' : c.req.method, routePath(c)];
  for (const definition of api.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const { route } = definition;
    const sameMethod = route.method === method.toLowerCase();
    if (sameMethod && route.path.replaceAll(/\{(.+?)\}/g, ':$1') === path) return route.request ?? {};
  }
  throw new Error(`No operation is registered at ${method} ${path}`);
}

type Body = NonNullable<RouteConfig['request']>['body'];

function bodySchema(body: Body): unknown {
  const media = body?.content['application/json'];
  return media && 'schema' in media ? media.schema : undefined;
}

/** As hono's validator reads it: a parameter given twice is a list, which no schema here accepts. */
const queryOf = (c: RestContext) =>
  Object.fromEntries(
    Object.entries(c.req.queries()).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );

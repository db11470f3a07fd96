// Builds the Hono app of all operations. A request that breaks an operation's schemas is answered with its errors.
import { type Hook, OpenAPIHono, type RouteConfig, type z } from '@hono/zod-openapi';
import { getPath } from 'hono/utils/url';
import { MAX_FAULTS } from '../model/errors.ts';
import { accessEvaluation } from './access-evaluation.ts';
import { adminGroups } from './admin-groups.ts';
import { adminMembers } from './admin-members.ts';
import { adminNesting } from './admin-nesting.ts';
import { changes } from './changes.ts';
import type { RestContext, RestEnv } from './context.ts';
import { GroupType } from './group-schemas.ts';
import { tenantGroups } from './tenant-groups.ts';
import { type Part, type ValidationError, validationErrors, wording } from './validation-errors.ts';

export type Api = OpenAPIHono<RestEnv>;

/** Creates an app without operations. Both list paths are served with and without a trailing slash. */
export function createApi(): Api {
  const api: Api = new OpenAPIHono<RestEnv>({ getPath: (request) => canonicalPath(getPath(request)) });
  const { openapi } = api;
  // Every operation gets a hook bound to its own request schemas. No route declares the type of the hook's answer.
  api.openapi = ((route, handler) =>
    openapi(route, handler, allErrorsHook(route) as never)) as Api['openapi'];
  api.openAPIRegistry.registerComponent('securitySchemes', 'bearerAuth', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A token of the identity platform.',
  });
  // Register the component before a schema uses it with a default: the generator would write that default into it.
  api.openAPIRegistry.register('GroupType', GroupType);
  return api;
}

/** Registers the 19 operations in the order of the reference, then those beside it. */
export function addOperations(api: Api): void {
  adminGroups(api);
  adminMembers(api);
  adminNesting(api);
  tenantGroups(api);
  changes(api);
  accessEvaluation(api);
}

/** Maps a list path to the reference's spelling: the admin path ends in a slash, the tenant path does not. */
function canonicalPath(path: string): string {
  if (path === '/api/v1/admin/groups') return `${path}/`;
  return /^\/api\/v1\/tenants\/[^/]+\/groups\/$/.test(path) ? path.slice(0, -1) : path;
}

type OperationHook = Hook<unknown, RestEnv, string, unknown>;

/** Answers a request that one validator rejects with the errors of all parts: hono's validators stop at the first part. */
function allErrorsHook({ request = {} }: RouteConfig): OperationHook {
  const { params, query, headers, body } = request;
  const parts: [Part, unknown, (c: RestContext) => unknown][] = [
    ['path', params, (c) => c.req.param()],
    ['query', query, queryOf],
    ['header', headers, (c) => c.req.header()],
    ['body', bodySchema(body), (c) => c.req.json()],
  ];
  return async (result, c) => {
    if (result.success) return undefined;
    const errors: ValidationError[][] = [];
    for (const [part, schema, read] of parts) {
      if (!schema) continue;
      const value = await read(c);
      const { error } = (schema as z.ZodType).safeParse(value, { error: wording });
      errors.push(validationErrors(part, error?.issues ?? [], value));
    }
    return c.json({ detail: errors.flat().slice(0, MAX_FAULTS) }, 422);
  };
}

type Body = NonNullable<RouteConfig['request']>['body'];

function bodySchema(body: Body): unknown {
  const media = body?.content['application/json'];
  return media && 'schema' in media ? media.schema : undefined;
}

/** The query as hono's validator reads it: a repeated parameter becomes a list, which every schema here rejects. */
const queryOf = (c: RestContext) =>
  Object.fromEntries(
    Object.entries(c.req.queries()).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );

// The REST face behind Prism: each call that a test makes is held to the OpenAPI document in passing.
import { expect } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { listen } from '../../src/http/server.ts';
import { openApiDocument } from '../../src/rest/openapi.ts';
import { startPrism, violationsOf } from './prism.ts';
import { type Claims, type RestAnswer, startApp, type TestApp } from './server.ts';

export type RestServer = Omit<TestApp, 'ask'> & {
  /** As `rest`, through the proxy: fails on an answer that the document does not describe. */
  ask(
    claims: Claims | null,
    call: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<RestAnswer>;
  /** Where the server itself listens, behind the proxy. */
  url: string;
  /** Operations that were carried out through the proxy, as in `GET /api/v1/admin/groups/`. */
  held: Set<string>;
  stop(): Promise<void>;
};

/** The operations that a document describes. */
export const operationsOf = ({ paths }: { paths?: object }): string[] =>
  Object.entries(paths ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );

/** Statuses with which a request that breaks the document may be answered. */
const REFUSED = new Set([400, 401, 415, 422]);

export async function startRest(
  database: Database,
  variables: Record<string, string> = {},
): Promise<RestServer> {
  const app = await startApp(database, variables);
  const server = await listen(app.app.listener, {
    host: '127.0.0.1',
    port: 0,
    timeouts: app.config.timeouts,
  });
  const prism = await startPrism(server.url);
  const held = new Set<string>();
  const operations = operationsOf(openApiDocument()).map((name) => ({
    name,
    pattern: new RegExp(`^${name.replaceAll(/\{.+?\}/g, '[^/?]+')}(\\?|$)`),
  }));
  const ask: RestServer['ask'] = async (claims, call, body, headers = {}) => {
    const [method, path] = call.split(' ') as [string, string];
    const response = await fetch(`${prism.url}${path}`, {
      method,
      headers: {
        ...(claims && { authorization: `Bearer ${await app.tokenFor(claims)}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const what = `${call}\n${JSON.stringify(body)}\n${response.status} ${text}`;
    const violations = violationsOf(response.headers);
    const ofAnswer = violations.filter(({ location }) => location[0] === 'response');
    expect(ofAnswer, what).toEqual([]);
    expect(response.headers.get('content-type') ?? '', what).not.toContain('problem+json');
    if (!REFUSED.has(response.status)) expect(violations, what).toEqual([]);
    if (response.ok) held.add(operations.find(({ pattern }) => pattern.test(call))?.name ?? call);
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
  };
  return {
    ...app,
    ask,
    held,
    url: server.url,
    async stop() {
      await prism.stop();
      await server.stop();
    },
  };
}

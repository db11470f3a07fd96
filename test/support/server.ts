// The whole application in this process, and ways to ask it.

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { type App, createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import type { Database } from '../../src/database/database.ts';
import { listen } from '../../src/http/server.ts';
import { recordOperation } from './documents-of-tests.ts';

export type Claims = Record<string, unknown>;
export type Answer = {
  status: number;
  headers: Headers;
  body: {
    data?: Record<string, never> | null;
    errors?: { message: string; path?: string[]; extensions: Record<string, unknown> }[];
    extensions?: Record<string, unknown>;
  };
};

// biome-ignore lint/suspicious/noExplicitAny: the shape is the operation's, which each test states.
export type RestAnswer = { status: number; headers: Headers; body: any };

export const SUPER_ADMIN: Claims = { sub: 'usr_root', role: 'super_admin' };

/**
 * An application over this database, with its own development key. Variables as in the environment. It is asked as by a
 * client, through a server, where plain operations take the fast path; in process, Yoga answers all operations.
 */
export async function startApp(
  database: Database,
  variables: Record<string, string> = {},
  { inProcess = false, logger = pino({ level: 'silent' }) } = {},
) {
  const dataDir = await mkdtemp(join(tmpdir(), 'coterie-test-'));
  const config = readConfig({ DATA_DIR: dataDir, ...variables });
  const app = await createApp({ config, database, logger });
  const { timeouts, corsOrigins } = config;
  const listening = await listen(app.listener, { host: '127.0.0.1', port: 0, timeouts, corsOrigins });
  // Tests end without stopping it.
  listening.server.unref();
  const send = inProcess ? app.fetch : fetch;
  const url = inProcess ? 'http://coterie.test' : listening.url;
  const tokens = new Map<string, Promise<string>>();
  const tokenFor = (claims: Claims) => {
    const key = JSON.stringify(claims);
    if (!tokens.has(key)) tokens.set(key, app.signToken!(claims));
    return tokens.get(key)!;
  };

  /** Posts an operation as the caller with these claims (null: without a token). */
  async function ask(
    claims: Claims | null,
    query: string,
    variables: object = {},
    headers: object = {},
  ): Promise<Answer> {
    recordOperation({ query, variables });
    const response = await send(
      new Request(`${url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(claims && { authorization: `Bearer ${await tokenFor(claims)}` }),
          ...headers,
        },
        body: JSON.stringify({ query, variables }),
      }),
    );
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Answer['body'],
    };
  }

  /** The data of an operation that must not fail; a failure prints query and answer. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape is the query's, which each test states.
  async function data(claims: Claims, query: string, variables: object = {}): Promise<any> {
    const { body } = await ask(claims, query, variables);
    if (body.errors || !body.data)
      throw new Error(`${query}\n${JSON.stringify(variables)}\n${JSON.stringify(body, null, 2)}`);
    return body.data;
  }

  /** Sends a REST request as the caller with these claims (null: without a token); a body is sent as JSON. */
  async function rest(
    claims: Claims | null,
    call: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<RestAnswer> {
    const [method, path] = call.split(' ') as [string, string];
    const response = await app.fetch(
      new Request(`http://coterie.test${path}`, {
        method,
        headers: {
          ...(claims && { authorization: `Bearer ${await tokenFor(claims)}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    );
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : null };
  }
  return { app: app as App, url, send, config, dataDir, tokenFor, ask, data, rest };
}

export type TestApp = Awaited<ReturnType<typeof startApp>>;

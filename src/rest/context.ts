// What travels with a REST request: its id from outside, and the directory that the token opened.
import type { Context } from 'hono';
import type { Directory } from '../domain/directory.ts';

export type RestEnv = {
  Bindings: { requestId: string };
  Variables: { directory: Directory };
};

export type RestContext = Context<RestEnv>;

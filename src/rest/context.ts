// What travels with a REST request: its entry of the log, and the directory that the token opened.
import type { Context } from 'hono';
import type { Directory } from '../domain/directory.ts';
import type { RequestLog } from '../model/request-log.ts';

export type RestEnv = {
  Bindings: { log: RequestLog };
  Variables: { directory: Directory };
};

export type RestContext = Context<RestEnv>;

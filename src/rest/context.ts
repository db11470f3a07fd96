// The Hono context of a REST request: its log entry, and the directory opened for its caller.
import type { Context } from 'hono';
import type { Directory } from '../domain/directory.ts';
import type { OpenStreams } from '../model/open-streams.ts';
import type { RequestLog } from '../model/request-log.ts';

export type RestEnv = {
  /** `publicUrl`: where clients reach the server; null if that is not known. */
  Bindings: { log: RequestLog; publicUrl: string | null };
  /** `signal` ends a change whose time is up or whose client has gone away; undefined for reads. */
  Variables: { directory: Directory; signal: AbortSignal | undefined; streams: OpenStreams };
};

export type RestContext = Context<RestEnv>;

// A gateway process as `npm start` runs it, and ways to ask it over HTTP.
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '../support/process.ts';
import { beforeExit } from './cleanup.ts';

/** Longer than the gateway's own limit of a request: when this ends, nothing is under way there any more. */
const REQUEST_LIMIT = 20_000;
/** How long a gateway may be without an answer, in ms, before the run fails. */
const PATIENCE = 90_000;
/** Pause before an unanswered read is sent again, in ms. */
const PAUSE = 50;

// biome-ignore lint/suspicious/noExplicitAny: the shape is the operation's, which each caller states.
type Data = any;
/** `code`: why there is no answer; the fate of a write is then unknown. */
export type Outcome = { data: Data; code: null } | { data: null; code: string };

export type Gateway = {
  name: string;
  url: string;
  pid: number;
  ask(query: string, variables: object, headers?: Record<string, string>): Promise<Outcome>;
  stop(): Promise<void>;
};

/** Starts one that shares its tokens with the others of this `dataDir`. */
export async function startGateway(
  name: string,
  { databaseUrl, dataDir, token }: { databaseUrl: string; dataDir: string; token: string },
  variables: Record<string, string> = {},
): Promise<Gateway> {
  const server = await startServer({
    DATABASE_URL: databaseUrl,
    DATA_DIR: dataDir,
    SEED_DEMO: 'false',
    LOG_LEVEL: 'fatal',
    ...variables,
  });
  const forget = beforeExit(() => server.child.kill('SIGKILL'));
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  return {
    name,
    url: server.url,
    pid: server.child.pid!,
    async ask(query, variables, more = {}) {
      const signal = AbortSignal.timeout(REQUEST_LIMIT);
      const body = JSON.stringify({ query, variables });
      try {
        const response = await fetch(`${server.url}/graphql`, {
          method: 'POST',
          headers: { ...headers, ...more },
          body,
          signal,
        });
        const answer = (await response.json()) as {
          data?: Data;
          errors?: { extensions?: { code?: string } }[];
        };
        const [error] = answer.errors ?? [];
        if (error) return { data: null, code: error.extensions?.code ?? `HTTP ${response.status}` };
        return { data: answer.data, code: null };
      } catch (error) {
        if (server.child.exitCode !== null)
          throw new Error(`gateway ${name} has ended:\n${server.stderr}`, { cause: error });
        return { data: null, code: (error as Error).name === 'TimeoutError' ? 'NO_ANSWER' : 'NETWORK' };
      }
    },
    async stop() {
      await server.stop();
      forget();
    },
  };
}

/** Reads until there is an answer; `onError` hears of each answer that is none. */
export async function askUntilAnswered(
  gateway: Gateway,
  query: string,
  variables: object,
  onError: (code: string) => void,
): Promise<Data> {
  let code = '';
  for (const end = performance.now() + PATIENCE; performance.now() < end; await sleep(PAUSE)) {
    const outcome = await gateway.ask(query, variables);
    if (outcome.code === null) return outcome.data;
    code = outcome.code;
    onError(code);
  }
  throw new Error(`gateway ${gateway.name} has not answered for ${PATIENCE / 1_000} s: ${code}`);
}

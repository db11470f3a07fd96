// Subscriptions: only as server-sent events, within the limits of cost and of open streams, with errors masked as everywhere.
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { isDirectoryError } from '../../model/errors.ts';
import type { OpenStreams } from '../../model/open-streams.ts';
import type { RequestLog } from '../../model/request-log.ts';
import type { Context } from '../schema/context.ts';
import { maskError, RETRY_AFTER, STATUS, toGraphQLError } from './errors.ts';
import { costExcess } from './limits.ts';

type Options = { streams: OpenStreams; costLimit: number; log: () => RequestLog };
type Events = AsyncIterable<ExecutionResult>;
type Ending<Item> = AsyncIterable<Item> & Required<Pick<AsyncIterator<Item>, 'next' | 'return'>>;

const EVENT_STREAM = 'text/event-stream';

const NOT_ACCEPTABLE = new GraphQLError(
  `Subscriptions are answered as server-sent events: send \`Accept: ${EVENT_STREAM}\``,
  { extensions: { code: 'NOT_ACCEPTABLE', http: { status: 406 } } },
);

/** Admits subscriptions, and frees their place when they end. */
export function subscriptions({
  streams,
  costLimit,
  log: currentLog,
}: Options): Plugin<{ request: Request }> {
  return {
    onSubscribe({ args, setResultAndStopExecution }) {
      const { request, directory } = args.contextValue as unknown as Context & { request: Request };
      if (!request.headers.get('accept')?.includes(EVENT_STREAM))
        return setResultAndStopExecution({ errors: [NOT_ACCEPTABLE] });
      const excess = costExcess(args, costLimit);
      if (excess) return setResultAndStopExecution({ errors: [excess] });
      let close: () => void;
      try {
        close = streams.open(directory.caller);
      } catch (error) {
        if (!isDirectoryError(error)) throw error;
        currentLog().noteError(error);
        const refused = toGraphQLError(error);
        Object.assign(refused.extensions, { http: { status: STATUS[error.code], headers: RETRY_AFTER } });
        return setResultAndStopExecution({ errors: [refused] });
      }
      // Events are read later, in another asynchronous context.
      const log = currentLog();
      return {
        onSubscribeResult({ result, setResult }) {
          if (!(Symbol.asyncIterator in result)) return close();
          const events = maskedEvents(result as Events, log, close);
          // Yoga's stream tells of a client that went away once it has something to send, and never of one that left before.
          const end = () => {
            events.return().catch(() => {});
          };
          if (request.signal.aborted) end();
          request.signal.addEventListener('abort', end, { once: true });
          setResult(events as never);
        },
      };
    },
  };
}

/** The events with masked errors; `close` is called once when they end, in whatever way. */
function maskedEvents(events: Events, log: RequestLog, close: () => void): Ending<ExecutionResult> {
  const iterator = events[Symbol.asyncIterator]();
  return {
    async next() {
      const item = await iterator.next().catch((error: unknown) => {
        close();
        throw maskError(error, log);
      });
      if (item.done) close();
      const { errors } = (item.value ?? {}) as ExecutionResult;
      if (!errors) return item;
      const masked = errors.map((error) => maskError(error, log) as GraphQLError);
      return { ...item, value: { ...item.value, errors: masked } };
    },
    async return() {
      close();
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

// Limits of documents and operations, as plugins of Yoga. Each is enforced by default, and its error names the limit.
import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import { GraphQLError, getOperationAST, OperationTypeNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Deadline } from '../../model/deadline.ts';
import type { Context } from '../schema/context.ts';
import { limitError } from './errors.ts';
import { operationCost } from './operation-cost.ts';

export type Limits = {
  tokens: number;
  brackets: number;
  depth: number;
  aliases: number;
  directives: number;
  cost: number;
  /** How long an operation may take, in milliseconds. */
  operationMs: number;
};

/** One plugin for each limit. Errors have the code LIMIT_EXCEEDED, or TIMEOUT for `operationMs`. */
export function limitPlugins(limits: Limits): Plugin[] {
  const withCode = {
    onReject: [
      (_context: unknown, error: GraphQLError) => {
        Object.assign(error.extensions, { code: 'LIMIT_EXCEEDED' });
      },
    ],
  };
  return [
    bracketDepth(limits.brackets),
    maxTokensPlugin({ n: limits.tokens, ...withCode }) as Plugin,
    // By default the package exempts `__typename`.
    maxAliasesPlugin({ n: limits.aliases, allowList: [], ...withCode }) as Plugin,
    maxDirectivesPlugin({ n: limits.directives, ...withCode }) as Plugin,
    maxDepthPlugin({
      n: limits.depth,
      ignoreIntrospection: true,
      flattenFragments: true,
      ...withCode,
    }) as Plugin,
    cost(limits.cost),
    operationTimeout(limits.operationMs),
  ];
}

/** Refuses documents whose nesting could overflow the stack of the parser, which is recursive. This check is not. */
function bracketDepth(limit: number): Plugin {
  return {
    onParams({ params }) {
      // A query that is no string is refused by a later check of Yoga.
      if (typeof params.query === 'string' && deepestBracket(params.query) > limit) {
        throw limitError(`The document nests brackets deeper than ${limit}`, limit);
      }
    },
  };
}

/** A string or comment, whose brackets do not count, or one bracket. */
const BRACKETS = /"""(?:\\"""|[\s\S])*?(?:"""|$)|"(?:\\.|[^"\\\n])*"?|#[^\n\r]*|[[\](){}]/g;

/** The deepest nesting of `{`, `(` and `[` outside strings and comments. */
export function deepestBracket(document: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [token] of document.matchAll(BRACKETS)) {
    if (token === '{' || token === '(' || token === '[') deepest = Math.max(deepest, ++depth);
    else if (token === '}' || token === ')' || token === ']') depth -= 1;
  }
  return deepest;
}

/** Refuses operations that cost more than the limit, and reports the cost in the extensions of every result. */
function cost(limit: number): Plugin {
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const requested = operationCost(args);
      const extensions = costExtension(requested, limit);
      if (requested > limit) {
        setResultAndStopExecution({ errors: [costError(requested, limit)], extensions });
        return;
      }
      return {
        onExecuteDone({ result, setResult }) {
          if (Symbol.asyncIterator in result) return;
          setResult({ ...result, extensions: { ...result.extensions, ...extensions } });
        },
      };
    },
  };
}

const costError = (requested: number, limit: number) => {
  const message = `The operation could return ${requested} objects, and the limit is ${limit}: ask for smaller pages`;
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED', limit, requested } });
};

/** The error of a subscription each of whose events costs more than the limit; null if none does. */
export function costExcess(args: Parameters<typeof operationCost>[0], limit: number): GraphQLError | null {
  const requested = operationCost(args);
  return requested > limit ? costError(requested, limit) : null;
}

/** The extension of a result that reports the operation's cost. */
export const costExtension = (requested: number, limit: number) => ({ cost: { requested, limit } });

/** Yoga opens the directory before it reads the operation, so every request has a deadline; only mutations use it. */
export type YogaContext = Context & { readonly deadline: Deadline };

/** Ends an operation in time. */
function operationTimeout(milliseconds: number): Plugin {
  return {
    onExecute({ args: { document, operationName, contextValue }, executeFn, setExecuteFn }) {
      const isMutation = getOperationAST(document, operationName)?.operation === OperationTypeNode.MUTATION;
      const deadline = isMutation ? (contextValue as unknown as YogaContext).deadline : null;
      setExecuteFn((args) => withinTime(milliseconds, deadline, () => executeFn(args)));
    },
  };
}

/**
 * The result of a query, or a result with the error TIMEOUT once it takes longer than `milliseconds`; its statements are not
 * cancelled, because other requests share them. A mutation has a deadline, and fails with TIMEOUT where that rolls it back:
 * its result is awaited, so that no change that was answered as failed is stored.
 */
export async function withinTime<Result>(
  milliseconds: number,
  deadline: Deadline | null,
  work: () => Result | Promise<Result>,
): Promise<Result | TimedOut> {
  if (deadline) return deadline.within(milliseconds, () => timedOut(milliseconds), work);
  const result = work();
  if (!isPromise(result)) return result;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<TimedOut>((resolve) => {
    timer = setTimeout(() => resolve({ errors: [timedOut(milliseconds)] }), milliseconds);
  });
  try {
    return await Promise.race([result, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

const timedOut = (milliseconds: number) =>
  new GraphQLError(`The operation took longer than ${milliseconds} ms`, {
    extensions: { code: 'TIMEOUT', limit: milliseconds },
  });

export type TimedOut = { errors: [GraphQLError] };

const isPromise = <Value>(value: Value | Promise<Value>): value is Promise<Value> =>
  typeof (value as { then?: unknown } | null)?.then === 'function';

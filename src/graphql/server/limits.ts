// Limits on what a document may hold, on from the start; each breach is an error that names the limit.
import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { limitError } from './errors.ts';
import { operationCost } from './operation-cost.ts';

export type Limits = {
  tokens: number;
  brackets: number;
  depth: number;
  aliases: number;
  directives: number;
  cost: number;
  /** Milliseconds that an operation may take. */
  operationMs: number;
};

/** All of them, as plugins of the server. */
export function limitPlugins(limits: Limits): Plugin[] {
  const coded = {
    onReject: [
      (_context: unknown, error: GraphQLError) => {
        Object.assign(error.extensions, { code: 'LIMIT_EXCEEDED' });
      },
    ],
  };
  return [
    bracketDepth(limits.brackets),
    maxTokensPlugin({ n: limits.tokens, ...coded }) as Plugin,
    // The package would let `__typename` alone be repeated; nobody is exempt here.
    maxAliasesPlugin({ n: limits.aliases, allowList: [], ...coded }) as Plugin,
    maxDirectivesPlugin({ n: limits.directives, ...coded }) as Plugin,
    maxDepthPlugin({
      n: limits.depth,
      ignoreIntrospection: true,
      flattenFragments: true,
      ...coded,
    }) as Plugin,
    cost(limits.cost),
    operationTimeout(limits.operationMs),
  ];
}

/** Refuses nesting that would overflow the parser's stack: the parser is recursive, this is not. */
function bracketDepth(limit: number): Plugin {
  return {
    onParams({ params }) {
      // What is no text is refused by Yoga's own check, which comes later.
      if (typeof params.query === 'string' && deepestBracket(params.query) > limit) {
        throw limitError(`The document nests brackets deeper than ${limit}`, limit);
      }
    },
  };
}

/** Strings and comments, which hold brackets that do not count, or one bracket. */
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

/** Refuses operations above the limit, and tells every client what its operation was counted as. */
function cost(limit: number): Plugin {
  return {
    onExecute({ args, setResultAndStopExecution }) {
      const requested = operationCost(args);
      const extensions = costExtension(requested, limit);
      if (requested > limit) {
        const message = `The operation could return ${requested} objects, and the limit is ${limit}: ask for smaller pages`;
        const error = new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED', limit, requested } });
        setResultAndStopExecution({ errors: [error], extensions });
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

/** What every answer tells of its cost. */
export const costExtension = (requested: number, limit: number) => ({ cost: { requested, limit } });

/** Answers in time, whatever the operation waits for; its statements end by their own timeouts. */
function operationTimeout(milliseconds: number): Plugin {
  return {
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn((args) => withinTime(milliseconds, () => executeFn(args)));
    },
  };
}

/** What `work` gives, or a result that holds only the error TIMEOUT, as soon as it takes longer. */
export async function withinTime<Result>(
  milliseconds: number,
  work: () => Result | Promise<Result>,
): Promise<Result | TimedOut> {
  const result = work();
  if (!isPromise(result)) return result;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<TimedOut>((resolve) => {
    timer = setTimeout(() => {
      const error = new GraphQLError(`The operation took longer than ${milliseconds} ms`, {
        extensions: { code: 'TIMEOUT', limit: milliseconds },
      });
      resolve({ errors: [error] });
    }, milliseconds);
  });
  try {
    return await Promise.race([result, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

export type TimedOut = { errors: [GraphQLError] };

const isPromise = <Value>(value: Value | Promise<Value>): value is Promise<Value> =>
  typeof (value as { then?: unknown } | null)?.then === 'function';

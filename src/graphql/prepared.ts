// Operations ready to run: parsed, validated and compiled once for each text, within bounds.
import {
  type DocumentNode,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
} from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import type { Context } from './context.ts';
import { operationCost } from './cost.ts';

/** Texts that are kept: a client has tens, and the longest of them take some 100 KB each, compiled. */
const MAX_TEXTS = 500;
/** Longer texts are prepared anew each time: no client sends them often, and they would fill the memory. */
const MAX_TEXT_LENGTH = 16 * 1_024;
/** Shapes of variables whose cost is kept for each operation. */
const MAX_SHAPES = 100;
/** Compiling costs as much as some hundred runs of a small operation, so one that is sent once is never compiled. */
const RUNS_BEFORE_COMPILING = 3;

/** The domain's rows hold texts, numbers and words of enums as GraphQL sends them: only other scalars are converted. */
const OPTIONS = { disableLeafSerialization: true };

type Variables = Record<string, unknown>;
type Compiled = ReturnType<typeof compileQuery<Record<string, unknown>, Variables>>;

export type Prepared = {
  readonly document: DocumentNode;
  /** Objects that the operation could return at most, with these variables; null if they do not fit. */
  cost(variables: Variables): number | null;
  /** Runs it. A result without `data` means that nothing was run: the variables do not fit. */
  run(context: Context, variables: Variables): Promise<ExecutionResult> | ExecutionResult;
};

/** The two steps that carry the limits of a document (limits.ts), as the server has them. */
export type Steps = {
  parse(text: string): DocumentNode;
  validate(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[];
};

/**
 * Gives the operation of a text, or null for one that does not parse, is not valid, is a subscription, or is not
 * there: those take the long way, which says what is wrong.
 */
export function preparedOperations(schema: GraphQLSchema, steps: () => Steps) {
  const kept = new Map<string, Prepared>();
  return (text: string, operationName: string | null): Prepared | null => {
    const key = operationName === null ? text : `${operationName}\n${text}`;
    const known = kept.get(key);
    if (known) {
      // The map is in order of last use, so the first key is the one to give up.
      kept.delete(key);
      kept.set(key, known);
      return known;
    }
    const document = validDocument(schema, text, steps());
    const operation = document && getOperationAST(document, operationName);
    if (!document || !operation || operation.operation === 'subscription') return null;
    const prepared = prepare(schema, document, operationName);
    if (text.length <= MAX_TEXT_LENGTH) {
      kept.set(key, prepared);
      if (kept.size > MAX_TEXTS) kept.delete(kept.keys().next().value!);
    }
    return prepared;
  };
}

function validDocument(schema: GraphQLSchema, text: string, { parse, validate }: Steps): DocumentNode | null {
  try {
    const document = parse(text);
    return validate(schema, document).length === 0 ? document : null;
  } catch {
    return null;
  }
}

function prepare(schema: GraphQLSchema, document: DocumentNode, operationName: string | null): Prepared {
  const costs = new Map<string, number>();
  let runs = 0;
  let compiled: Compiled | null = null;
  return {
    document,
    cost(variables) {
      const shape = shapeOf(variables);
      const known = costs.get(shape);
      if (known !== undefined) return known;
      const cost = costOrNone({ schema, document, operationName, variableValues: variables });
      if (cost === null) return null;
      if (costs.size < MAX_SHAPES) costs.set(shape, cost);
      return cost;
    },
    run(context, variables) {
      runs += 1;
      if (runs > RUNS_BEFORE_COMPILING)
        compiled ??= compileQuery(schema, document, operationName ?? '', OPTIONS) as Compiled;
      // What the compiler cannot do is run as graphql-js does it.
      if (compiled && isCompiledQuery(compiled)) {
        return compiled.query(undefined, context, variables) as Promise<ExecutionResult>;
      }
      return execute({
        schema,
        document,
        operationName,
        contextValue: context,
        variableValues: variables,
      }) as Promise<ExecutionResult>;
    },
  };
}

function costOrNone(operation: Parameters<typeof operationCost>[0]): number | null {
  try {
    return operationCost(operation);
  } catch (error) {
    if (error instanceof GraphQLError) return null;
    throw error;
  }
}

/** What of the variables a cost can depend on (complexity.ts): numbers, booleans, what is there, and lengths. */
function shapeOf(value: unknown): string {
  if (typeof value === 'string') return 's';
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.length}]`;
  return `{${Object.entries(value).map(([key, inner]) => `${key}:${shapeOf(inner)}`)}}`;
}

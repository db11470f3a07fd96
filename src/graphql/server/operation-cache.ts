// The operation cache: operations that are parsed, validated and compiled once for each text, in bounded memory.

import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  type GraphQLInputType,
  type GraphQLSchema,
  getNullableType,
  getOperationAST,
  getVariableValues,
  isInputObjectType,
  isLeafType,
  isListType,
  type NamedTypeNode,
  type OperationDefinitionNode,
  OperationTypeNode,
  typeFromAST,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { cacheUse } from '../../model/cache-use.ts';
import type { Context } from '../schema/context.ts';
import { type CompiledQuery, compilableFieldCount, queryCompiler } from './compiled-query.ts';
import { executeInOrder } from './execute.ts';
import { operationCost } from './operation-cost.ts';

/** Memory of the cache, in bytes: room for hundreds of typical operations. The largest take about 500 KB each, compiled. */
const MAX_BYTES = 32_000_000;
/** Measured maximum memory of a document's node, of a compiled field, and of an entry without both. */
const NODE_BYTES = 400;
const FIELD_BYTES = 2_000;
const ENTRY_BYTES = 16_000;
/** Longer texts are parsed and validated for each request: no real client sends them often. */
const MAX_TEXT_LENGTH = 16 * 1_024;
/** The costs that are cached for each operation, by the cost key of its variables, and the maximum length of a key. */
const MAX_COSTS = 20;
const MAX_COST_KEY_LENGTH = 200;
/** Compiling takes as long as some hundred executions of a small operation, so an operation sent once is not compiled. */
const RUNS_BEFORE_COMPILING = 3;

type Variables = Record<string, unknown>;

export type CachedOperation = {
  /** The operation with these variables; null if they are invalid. */
  withVariables(variables: Variables): ExecutableOperation | null;
  /** Memory of the entry, whether it is compiled yet or not. */
  readonly bytes: number;
};

export type ExecutableOperation = {
  /** The maximum number of objects that the operation could return. */
  readonly cost: number;
  readonly isMutation: boolean;
  /** The same result as that of `executeInOrder`. */
  run(context: Context): Promise<ExecutionResult> | ExecutionResult;
};

/** The functions of Yoga that apply the limits of documents (limits.ts). */
export type ParseAndValidate = {
  parse(text: string): DocumentNode;
  validate(schema: GraphQLSchema, document: DocumentNode): readonly GraphQLError[];
};

const use = cacheUse('operations');

/**
 * Creates the cache. Its function returns the operation of a text, or null if the text is invalid, lacks the named
 * operation, or asks for a subscription: the caller falls back to Yoga, which reports the error.
 */
export function operationCache(schema: GraphQLSchema, getEnveloped: () => ParseAndValidate) {
  const compile = queryCompiler(schema);
  const cache = new LRUCache<string, CachedOperation>({
    maxSize: MAX_BYTES,
    // V8 stores a string with two bytes per character if any character is outside Latin-1.
    sizeCalculation: ({ bytes }, key) => 2 * key.length + bytes,
  });
  return (text: string, operationName: string | null): CachedOperation | null => {
    const key = JSON.stringify([operationName, text]);
    const cached = cache.get(key);
    use[cached ? 'hits' : 'misses'] += 1;
    if (cached) return cached;
    const document = validDocument(schema, text, getEnveloped());
    const operation = document && getOperationAST(document, operationName);
    if (!document || !operation || operation.operation === 'subscription') return null;
    const entry = createEntry({ schema, document, operation, operationName, compile });
    if (key.length <= MAX_TEXT_LENGTH) cache.set(key, entry);
    return entry;
  };
}

function validDocument(
  schema: GraphQLSchema,
  text: string,
  { parse, validate }: ParseAndValidate,
): DocumentNode | null {
  try {
    const document = parse(text);
    return validate(schema, document).length === 0 ? document : null;
  } catch {
    return null;
  }
}

type ValidOperation = {
  schema: GraphQLSchema;
  document: DocumentNode;
  operation: OperationDefinitionNode;
  operationName: string | null;
  compile: ReturnType<typeof queryCompiler>;
};

function createEntry({
  schema,
  document,
  operation,
  operationName,
  compile,
}: ValidOperation): CachedOperation {
  const definitions = operation.variableDefinitions ?? [];
  const declaredVariables = definitions.map(({ variable, type }) => ({
    name: variable.name.value,
    type: typeFromAST(schema, type as NamedTypeNode) as unknown as GraphQLInputType,
  }));
  const fieldCount = compilableFieldCount(document, operation);
  const costs = new Map<string, number>();
  const costOf = (variableValues: Variables, coerced: Variables) => {
    const costKey = JSON.stringify(
      declaredVariables.map(({ name, type }) => costFactors(coerced[name], type)),
    );
    const cachedCost = costs.get(costKey);
    if (cachedCost !== undefined) return cachedCost;
    const cost = operationCost({ schema, document, operationName, variableValues });
    if (costs.size < MAX_COSTS && costKey.length <= MAX_COST_KEY_LENGTH) costs.set(costKey, cost);
    return cost;
  };
  let runCount = 0;
  let compiledQuery: CompiledQuery | null = null;
  return {
    bytes: ENTRY_BYTES + NODE_BYTES * countNodes(document) + FIELD_BYTES * (fieldCount ?? 0),
    withVariables(variableValues) {
      const { coerced } = getVariableValues(schema, definitions, variableValues);
      if (!coerced) return null;
      const cost = undefinedIfInvalid(() => costOf(variableValues, coerced));
      if (cost === undefined) return null;
      return {
        cost,
        isMutation: operation.operation === OperationTypeNode.MUTATION,
        async run(contextValue) {
          runCount += 1;
          if (fieldCount !== null && runCount === RUNS_BEFORE_COMPILING + 1) {
            compiledQuery = compile(document, operation);
          }
          const result = await compiledQuery?.(contextValue, coerced);
          return result ?? executeInOrder({ schema, document, operationName, contextValue, variableValues });
        },
      };
    },
  };
}

/** Undefined if `compute` throws a GraphQLError, as for a nullable variable that is null in a non-null argument. */
function undefinedIfInvalid<Value>(compute: () => Value): Value | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof GraphQLError) return undefined;
    throw error;
  }
}

function countNodes(document: DocumentNode): number {
  let nodeCount = 0;
  visit(document, {
    enter() {
      nodeCount += 1;
    },
  });
  return nodeCount;
}

/**
 * Everything in a coerced variable that a cost can depend on (complexity.ts): numbers, booleans, presence and lengths.
 * Contains no strings of the client. Does not descend into scalars, which may be JSON of any depth.
 */
function costFactors(value: unknown, type: GraphQLInputType): unknown {
  if (value === undefined) return 'absent';
  const nullableType = getNullableType(type);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  if (isListType(nullableType)) {
    const items = value as unknown[];
    const itemType = nullableType.ofType;
    return isLeafType(getNullableType(itemType))
      ? `${items.length} leaves`
      : items.map((item) => costFactors(item, itemType));
  }
  if (!isInputObjectType(nullableType)) return 'leaf';
  const fields = Object.values(nullableType.getFields());
  return fields.map((field) => costFactors((value as Variables)[field.name], field.type));
}

// Operations ready to run: parsed, validated and compiled once for each text, within bounds.
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
  typeFromAST,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Context } from '../schema/context.ts';
import { type CompiledQuery, compiledFields, queryCompiler } from './compiled.ts';
import { executeInOrder } from './execute.ts';
import { operationCost } from './operation-cost.ts';

/** Bytes of all operations that are kept: hundreds of a client's, of which the longest take some 500 KB each, compiled. */
const MAX_BYTES = 32_000_000;
/** What a node of a document and a compiled field were found to take at most, and an entry beside them. */
const NODE_BYTES = 400;
const FIELD_BYTES = 2_000;
const ENTRY_BYTES = 16_000;
/** Longer texts are prepared anew each time: no client sends them often. */
const MAX_TEXT_LENGTH = 16 * 1_024;
/** Shapes of variables whose cost is kept for each operation, and how long the text of one may be. */
const MAX_SHAPES = 20;
const MAX_SHAPE_LENGTH = 200;
/** Compiling costs as much as some hundred runs of a small operation, so one that is sent once is never compiled. */
const RUNS_BEFORE_COMPILING = 3;

type Variables = Record<string, unknown>;

export type Prepared = {
  /** The operation with these variables; null if they do not fit. */
  withVariables(variables: Variables): Ready | null;
  /** What it takes in memory, compiled or not. */
  readonly bytes: number;
};

export type Ready = {
  /** Objects that the operation could return at most. */
  readonly cost: number;
  /** Answers exactly as graphql-js does. */
  run(context: Context): Promise<ExecutionResult> | ExecutionResult;
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
export function operationCache(schema: GraphQLSchema, steps: () => Steps) {
  const compile = queryCompiler(schema);
  const kept = new LRUCache<string, Prepared>({
    maxSize: MAX_BYTES,
    // A character takes two bytes where one of the text is not of Latin-1.
    sizeCalculation: ({ bytes }, key) => 2 * key.length + bytes,
  });
  return (text: string, operationName: string | null): Prepared | null => {
    const key = JSON.stringify([operationName, text]);
    const known = kept.get(key);
    if (known) return known;
    const document = validDocument(schema, text, steps());
    const operation = document && getOperationAST(document, operationName);
    if (!document || !operation || operation.operation === 'subscription') return null;
    const prepared = prepare({ schema, document, operation, operationName, compile });
    if (key.length <= MAX_TEXT_LENGTH) kept.set(key, prepared);
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

type Preparing = {
  schema: GraphQLSchema;
  document: DocumentNode;
  operation: OperationDefinitionNode;
  operationName: string | null;
  compile: ReturnType<typeof queryCompiler>;
};

function prepare({ schema, document, operation, operationName, compile }: Preparing): Prepared {
  const definitions = operation.variableDefinitions ?? [];
  const declared = definitions.map(({ variable, type }) => ({
    name: variable.name.value,
    type: typeFromAST(schema, type as NamedTypeNode) as unknown as GraphQLInputType,
  }));
  const fields = compiledFields(document, operation);
  const costs = new Map<string, number>();
  const costOf = (variableValues: Variables, coerced: Variables) => {
    const shape = JSON.stringify(declared.map(({ name, type }) => shapeOf(coerced[name], type)));
    const known = costs.get(shape);
    if (known !== undefined) return known;
    const cost = operationCost({ schema, document, operationName, variableValues });
    if (costs.size < MAX_SHAPES && shape.length <= MAX_SHAPE_LENGTH) costs.set(shape, cost);
    return cost;
  };
  let runs = 0;
  let compiled: CompiledQuery | null = null;
  return {
    bytes: ENTRY_BYTES + NODE_BYTES * countNodes(document) + FIELD_BYTES * (fields ?? 0),
    withVariables(variableValues) {
      const { coerced } = getVariableValues(schema, definitions, variableValues);
      if (!coerced) return null;
      const cost = fitting(() => costOf(variableValues, coerced));
      if (cost === undefined) return null;
      return {
        cost,
        async run(contextValue) {
          runs += 1;
          if (fields !== null && runs === RUNS_BEFORE_COMPILING + 1) compiled = compile(document, operation);
          const result = await compiled?.(contextValue, coerced);
          return result ?? executeInOrder({ schema, document, operationName, contextValue, variableValues });
        },
      };
    },
  };
}

/** Undefined for variables that are null where an argument must not be. */
function fitting<Value>(compute: () => Value): Value | undefined {
  try {
    return compute();
  } catch (error) {
    if (error instanceof GraphQLError) return undefined;
    throw error;
  }
}

function countNodes(document: DocumentNode): number {
  let nodes = 0;
  visit(document, {
    enter() {
      nodes += 1;
    },
  });
  return nodes;
}

/**
 * What of a coerced variable a cost can depend on (complexity.ts): numbers, booleans, what is there, and lengths. It
 * holds no text of the caller, and is given up inside scalars, which may be JSON of any depth.
 */
function shapeOf(value: unknown, type: GraphQLInputType): unknown {
  if (value === undefined) return 'absent';
  const nullable = getNullableType(type);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  if (isListType(nullable)) {
    const items = value as unknown[];
    const itemType = nullable.ofType;
    return isLeafType(getNullableType(itemType))
      ? `${items.length} leaves`
      : items.map((item) => shapeOf(item, itemType));
  }
  if (!isInputObjectType(nullable)) return 'leaf';
  const fields = Object.values(nullable.getFields());
  return fields.map((field) => shapeOf((value as Variables)[field.name], field.type));
}

// Compiles queries with graphql-jit, where the compiled query answers exactly as graphql-js does. Arguments stay uncompiled.
import { MapperKind, mapSchema } from '@graphql-tools/utils';
import {
  type DocumentNode,
  type ExecutionResult,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getArgumentValues,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql';
import { compileQuery, isCompiledQuery } from 'graphql-jit';
import type { Context } from '../schema/context.ts';
import { definitionsOf } from './operation-cost.ts';

/**
 * The most fields that a compiled operation may select, with fragments expanded. Compiling blocks other requests for
 * about 0.1 ms per field, so this bounds the pause to 20 ms.
 */
const MAX_FIELDS = 200;

/** Rows of the domain hold strings, numbers and enum values as GraphQL sends them: only custom scalars need serializing. */
const OPTIONS = { disableLeafSerialization: true };

type Values = Record<string, unknown>;

export type CompiledQuery = (
  context: Context,
  coercedVariables: Values,
) => ExecutionResult | null | Promise<ExecutionResult | null>;

/**
 * Creates the compiler for a schema. A compiled query takes coerced variables. It returns null if any field failed: its
 * errors differ from those of graphql-js in order and number, so the caller must execute the query again.
 *
 * graphql-jit inlines literals into the source of a function and treats absent variables as null. It therefore gets
 * neither literals nor variables: graphql-js coerces the arguments while the query runs.
 */
export function queryCompiler(schema: GraphQLSchema) {
  const argumentlessSchema = withoutArguments(schema);
  /** Takes an operation that `compilableFieldCount` accepts. Returns null if graphql-jit cannot compile it. */
  return (document: DocumentNode, operation: OperationDefinitionNode): CompiledQuery | null => {
    const definitions = definitionsOf(document, { ...operation, variableDefinitions: [] });
    const compiled = compileQuery<Values, Values>(
      argumentlessSchema,
      { kind: Kind.DOCUMENT, definitions },
      '',
      OPTIONS,
    );
    if (!isCompiledQuery(compiled)) return null;
    return async (context, coercedVariables) => {
      const compiledContext: CompiledContext = {
        ...context,
        argumentValues: new ArgumentValues(coercedVariables),
      };
      const result = (await compiled.query(undefined, compiledContext, {})) as ExecutionResult;
      return result.errors ? null : result;
    };
  };
}

/**
 * The number of fields that the compiled operation would have; null if the operation must not be compiled:
 * - mutations: their fields run serially, and a retry after an error would run them twice;
 * - `@skip` and `@include`: graphql-jit marks a field as skipped in every place where its fragment is spread;
 * - introspection: graphql-jit would inline its arguments into source text;
 * - aliases with `_`: graphql-jit joins the names of a path with it, so two paths could share one resolver; and the alias
 *   `__proto__`, which sets no property of an object literal;
 * - more than `MAX_FIELDS` fields: nested fragments multiply them.
 */
export function compilableFieldCount(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): number | null {
  if (operation.operation !== OperationTypeNode.QUERY) return null;
  const fragments = new Map(
    document.definitions
      .filter((definition): definition is FragmentDefinitionNode => 'typeCondition' in definition)
      .map((fragment) => [fragment.name.value, fragment]),
  );
  let fieldCount = 0;
  const isCompilable = ({ selections }: SelectionSetNode): boolean =>
    selections.every((selection) => {
      if (selection.directives?.length) return false;
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        return isCompilable(fragments.get(selection.name.value)!.selectionSet);
      }
      if (selection.kind === Kind.FIELD) {
        fieldCount += 1;
        if (fieldCount > MAX_FIELDS || !isCompilableField(selection)) return false;
      }
      return selection.selectionSet === undefined || isCompilable(selection.selectionSet);
    });
  return isCompilable(operation.selectionSet) ? fieldCount : null;
}

function isCompilableField({ name, alias }: FieldNode): boolean {
  // `__typename` has no arguments and no resolver. Relay selects it as `__isNode: __typename`, so `_` is allowed here.
  if (name.value === '__typename') return alias?.value !== '__proto__';
  return !name.value.startsWith('__') && !alias?.value.includes('_');
}

/** The context of a compiled query's resolvers. */
type CompiledContext = Context & { readonly argumentValues: ArgumentValues };

/** The argument values of one execution. Each field node is coerced once, however many objects it is resolved for. */
class ArgumentValues {
  readonly #coercedVariables: Values;
  readonly #valuesByField = new Map<GraphQLField<unknown, unknown>, Map<FieldNode, Values>>();

  constructor(coercedVariables: Values) {
    this.#coercedVariables = coercedVariables;
  }

  /** Throws the GraphQLError of graphql-js if an argument is invalid. */
  of(field: GraphQLField<unknown, unknown>, node: FieldNode): Values {
    // A node selected on an interface belongs to several fields, each with its own arguments and defaults.
    let valuesByNode = this.#valuesByField.get(field);
    if (!valuesByNode) {
      valuesByNode = new Map();
      this.#valuesByField.set(field, valuesByNode);
    }
    let values = valuesByNode.get(node);
    if (!values) {
      values = getArgumentValues(field, node, this.#coercedVariables);
      valuesByNode.set(node, values);
    }
    return values;
  }
}

/** The schema for graphql-jit: its fields have no arguments, but each resolver still gets its argument values. */
function withoutArguments(schema: GraphQLSchema): GraphQLSchema {
  return mapSchema(schema, {
    [MapperKind.OBJECT_FIELD](config, fieldName, typeName) {
      const field = (schema.getType(typeName) as GraphQLObjectType).getFields()[fieldName]!;
      const { resolve } = field;
      if (!resolve) return { ...config, args: {} };
      return {
        ...config,
        args: {},
        resolve: (source, _noArguments, context: CompiledContext, info) =>
          resolve(source, context.argumentValues.of(field, info.fieldNodes[0]!), context, info),
      };
    },
  });
}

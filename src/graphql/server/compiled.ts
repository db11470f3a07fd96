// Queries compiled by graphql-jit, as far as the compiler answers exactly as graphql-js does: selections, and no inputs.
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

/** Selected fields of an operation, with fragments written out: compiling more would hold up other requests, 0.1 ms for each. */
const MAX_FIELDS = 200;

/** The domain's rows hold texts, numbers and words of enums as GraphQL sends them: only other scalars are converted. */
const OPTIONS = { disableLeafSerialization: true };

type Values = Record<string, unknown>;

export type CompiledQuery = (
  context: Context,
  variableValues: Values,
) => ExecutionResult | null | Promise<ExecutionResult | null>;

/**
 * Gives the compiler for a schema. A compiled query takes coerced variables, and gives null when a field failed: errors
 * are told in another order and number than graphql-js tells them, so the query must be executed again. The compiler
 * writes what a caller sends into the source of a function, and treats absent variables as null, so it is given neither
 * literals nor variables: arguments are coerced by graphql-js, while the query runs.
 */
export function queryCompiler(schema: GraphQLSchema) {
  const selectable = withoutArguments(schema);
  /** Null for an operation that `compiledFields` refuses, or that the compiler does. */
  return (document: DocumentNode, operation: OperationDefinitionNode): CompiledQuery | null => {
    const definitions = definitionsOf(document, { ...operation, variableDefinitions: [] });
    const compiled = compileQuery<Values, Values>(
      selectable,
      { kind: Kind.DOCUMENT, definitions },
      '',
      OPTIONS,
    );
    if (!isCompiledQuery(compiled)) return null;
    return async (context, variableValues) => {
      const running: Running = { ...context, inputs: new Inputs(variableValues) };
      const result = (await compiled.query(undefined, running, {})) as ExecutionResult;
      return result.errors ? null : result;
    };
  };
}

/**
 * How many fields the compiled operation would have; null for one that must not be compiled:
 * - mutations: their fields run one after the other, and an error must not run them again;
 * - `@skip` and `@include`: the compiler marks a field as skipped wherever its fragment is spread;
 * - introspection, whose arguments it would write into source text;
 * - aliases with `_`, by which it joins the names of a path: two paths would share what they are resolved with; and
 *   `__proto__`, which is no property of the literal that it makes;
 * - more than `MAX_FIELDS` fields, since fragments in fragments multiply them.
 */
export function compiledFields(document: DocumentNode, operation: OperationDefinitionNode): number | null {
  if (operation.operation !== OperationTypeNode.QUERY) return null;
  const fragments = new Map(
    document.definitions
      .filter((definition): definition is FragmentDefinitionNode => 'typeCondition' in definition)
      .map((fragment) => [fragment.name.value, fragment]),
  );
  let fields = 0;
  const isExact = ({ selections }: SelectionSetNode): boolean =>
    selections.every((selection) => {
      if (selection.directives?.length) return false;
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        return isExact(fragments.get(selection.name.value)!.selectionSet);
      }
      if (selection.kind === Kind.FIELD) {
        fields += 1;
        if (fields > MAX_FIELDS || !isExactField(selection)) return false;
      }
      return selection.selectionSet === undefined || isExact(selection.selectionSet);
    });
  return isExact(operation.selectionSet) ? fields : null;
}

function isExactField({ name, alias }: FieldNode): boolean {
  // It has no arguments and no resolver, and Relay writes `__isNode: __typename`.
  if (name.value === '__typename') return alias?.value !== '__proto__';
  return !name.value.startsWith('__') && !alias?.value.includes('_');
}

/** The context of a compiled query's resolvers. */
type Running = Context & { readonly inputs: Inputs };

/** The arguments of the fields of one execution; those of a field are coerced once, however many objects have it. */
class Inputs {
  readonly #variableValues: Values;
  readonly #known = new Map<GraphQLField<unknown, unknown>, Map<FieldNode, Values>>();

  constructor(variableValues: Values) {
    this.#variableValues = variableValues;
  }

  /** Throws what graphql-js throws for arguments that do not fit. */
  of(field: GraphQLField<unknown, unknown>, node: FieldNode): Values {
    // A node that is selected on an interface is of several fields, each with arguments and defaults of its own.
    let ofField = this.#known.get(field);
    if (!ofField) {
      ofField = new Map();
      this.#known.set(field, ofField);
    }
    let values = ofField.get(node);
    if (!values) {
      values = getArgumentValues(field, node, this.#variableValues);
      ofField.set(node, values);
    }
    return values;
  }
}

/** The schema with fields that have no arguments for the compiler, and whose resolvers are given them none the less. */
function withoutArguments(schema: GraphQLSchema): GraphQLSchema {
  return mapSchema(schema, {
    [MapperKind.OBJECT_FIELD](config, fieldName, typeName) {
      const field = (schema.getType(typeName) as GraphQLObjectType).getFields()[fieldName]!;
      const { resolve } = field;
      if (!resolve) return { ...config, args: {} };
      return {
        ...config,
        args: {},
        resolve: (source, _none, context: Running, info) =>
          resolve(source, context.inputs.of(field, info.fieldNodes[0]!), context, info),
      };
    },
  });
}

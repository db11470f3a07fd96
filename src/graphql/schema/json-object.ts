// The scalar `JSONObject`, which refuses numbers that lose precision as a double.
import { type ASTNode, type EnumValueNode, GraphQLError, GraphQLScalarType, visit } from 'graphql';
import { GraphQLJSONObject } from 'graphql-scalars';
import { type JsonObject, parseNumber } from '../../model/json.ts';

/** Literals are parsed by the rules of JSON in model/json.ts. An inexact number becomes infinite, which is refused later. */
export const JSONObject = new GraphQLScalarType<JsonObject, JsonObject>({
  ...(GraphQLJSONObject.toConfig() as object),
  name: GraphQLJSONObject.name,
  parseLiteral: (node, variables) =>
    GraphQLJSONObject.parseLiteral(withExactNumbers(node), variables) as JsonObject,
});

function withExactNumbers<Node extends ASTNode>(node: Node): Node {
  const infiniteIfInexact = <Literal extends { value: string }>(literal: Literal): Literal | undefined =>
    Number.isNaN(parseNumber(literal.value)) ? { ...literal, value: 'Infinity' } : undefined;
  // The parser of graphql-scalars would silently drop an enum value.
  const refuseEnumValue = (enumValue: EnumValueNode) => {
    throw new GraphQLError(`JSONObject cannot represent the enum value ${enumValue.value}`, {
      nodes: enumValue,
    });
  };
  return visit(node, {
    IntValue: infiniteIfInexact,
    FloatValue: infiniteIfInexact,
    EnumValue: refuseEnumValue,
  });
}

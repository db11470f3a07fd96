// The scalar `JSONObject`: what double precision cannot hold exactly is refused.
import { type ASTNode, type EnumValueNode, GraphQLError, GraphQLScalarType, visit } from 'graphql';
import { GraphQLJSONObject } from 'graphql-scalars';
import { type JsonObject, parseNumber } from '../../model/json.ts';

/** Literals of a JSON object are read as JSON is, by the rules of which an infinite number is refused. */
export const JSONObject = new GraphQLScalarType<JsonObject, JsonObject>({
  ...(GraphQLJSONObject.toConfig() as object),
  name: GraphQLJSONObject.name,
  parseLiteral: (node, variables) =>
    GraphQLJSONObject.parseLiteral(exactLiteral(node), variables) as JsonObject,
});

function exactLiteral<Node extends ASTNode>(node: Node): Node {
  const orInfinite = <Literal extends { value: string }>(literal: Literal): Literal | undefined =>
    Number.isNaN(parseNumber(literal.value)) ? { ...literal, value: 'Infinity' } : undefined;
  // The scalar's own parser would leave it out.
  const refuse = (word: EnumValueNode) => {
    throw new GraphQLError(`JSONObject cannot represent the enum value ${word.value}`, { nodes: word });
  };
  return visit(node, { IntValue: orInfinite, FloatValue: orInfinite, EnumValue: refuse });
}

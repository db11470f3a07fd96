// Numbers that double precision cannot hold are refused, in variables and in documents, instead of being stored as a neighbour.
import { type ASTNode, GraphQLScalarType, visit } from 'graphql';
import { GraphQLJSONObject } from 'graphql-scalars';
import type { Plugin } from 'graphql-yoga';
import type { JsonObject } from '../model/json.ts';
import { parseJson, parseNumber } from '../model/json.ts';

/** Lets Yoga's parser of JSON bodies read JSON as the fast path does. */
export const exactVariables: Plugin = {
  onRequestParse({ request, requestParser, setRequestParser }) {
    const type = request.headers.get('content-type') ?? '';
    if (!requestParser || request.method !== 'POST' || !JSON_TYPE.test(type)) return;
    // Yoga passes on what is left of the request after its own limits.
    setRequestParser((limited) =>
      requestParser({ json: async () => parseJson(await limited.text()) } as Request),
    );
  },
};

/** The types whose bodies Yoga reads by `json()`. */
const JSON_TYPE = /^application\/(graphql\+)?json\s*([;,]|$)/;

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
  return visit(node, { IntValue: orInfinite, FloatValue: orInfinite });
}

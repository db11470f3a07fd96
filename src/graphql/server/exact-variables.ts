// Makes Yoga parse JSON as the fast path does: values that would lose precision and repeated keys are refused.
import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { refuse } from '../../model/errors.ts';
import { parseJson, RepeatedKey } from '../../model/json.ts';
import { toGraphQLError } from './errors.ts';

/** Replaces JSON parsing in Yoga's request parsers for JSON and form bodies. */
export const exactVariables: Plugin = {
  onRequestParse({ request, requestParser, setRequestParser }) {
    if (!requestParser || request.method !== 'POST') return;
    const type = request.headers.get('content-type') ?? '';
    // Yoga passes the parser a request to which its own limits apply, so the body is read from that request.
    if (JSON_TYPE.test(type)) {
      setRequestParser((limited) =>
        requestParser({ json: async () => parse(await limited.text()) } as Request),
      );
    } else if (FORM_TYPE.test(type)) {
      setRequestParser(async (limited) => {
        const text = await limited.text();
        const params = (await requestParser({ text: async () => text } as Request)) as object;
        const variables = new URLSearchParams(text).get('variables');
        return variables ? { ...params, variables: parse(variables, ['variables']) as object } : params;
      });
    }
  },
};

/** Parses the JSON at a path of the request. A repeated key is refused with VALIDATION_FAILED and its path. */
function parse(text: string, parentPath: string[] = []): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof RepeatedKey)) throw error;
    const path = [...parentPath, ...error.path.map(String)];
    const { message, extensions } = toGraphQLError(
      refuse.validation([{ path, message: RepeatedKey.reason }]),
    );
    throw new GraphQLError(message, { extensions: { ...extensions, http: { status: 400 } } });
  }
}

/** The media types that Yoga reads with `json()`, and as a form. */
const JSON_TYPE = /^application\/(graphql\+)?json\s*([;,]|$)/;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*([;,]|$)/;

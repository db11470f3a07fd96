// JSON bodies as the fast path reads them: what cannot be kept exactly is refused.
import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { refuse } from '../../model/errors.ts';
import { parseJson, RepeatedKey } from '../../model/json.ts';
import { toGraphQLError } from './errors.ts';

/** Lets Yoga's parsers of bodies read JSON as the fast path does. */
export const exactVariables: Plugin = {
  onRequestParse({ request, requestParser, setRequestParser }) {
    if (!requestParser || request.method !== 'POST') return;
    const type = request.headers.get('content-type') ?? '';
    // What is given to the parser is what Yoga's own limits leave of the request.
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

/** Reads JSON that stands at this place of the request; tells which key is repeated, as of any breach of input rules. */
function parse(text: string, place: string[] = []): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof RepeatedKey)) throw error;
    const path = [...place, ...error.path.map(String)];
    const { message, extensions } = toGraphQLError(
      refuse.validation([{ path, message: RepeatedKey.reason }]),
    );
    throw new GraphQLError(message, { extensions: { ...extensions, http: { status: 400 } } });
  }
}

/** The types whose bodies Yoga reads by `json()`, and as a form. */
const JSON_TYPE = /^application\/(graphql\+)?json\s*([;,]|$)/;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*([;,]|$)/;

// A frontend with urql and its normalised cache.
import { Client, fetchExchange, gql } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { PAGE, RENAME } from './documents.ts';
import { argumentsOf, faultOf, fetchWith, type Listed, render, type Start } from './screen.ts';

export const start: Start = (url, tenant) => {
  let token = '';
  const client = new Client({
    url,
    preferGetMethod: false,
    fetch: fetchWith(() => token) as typeof fetch,
    exchanges: [cacheExchange({ keys: { UpdateGroupPayload: () => null } }), fetchExchange],
  });
  let shown: Listed | null = null;
  let last: object = {};
  let watched: { unsubscribe(): void } | undefined;
  return {
    useToken(text) {
      token = text;
    },
    async show(page) {
      const variables = { tenant, ...argumentsOf(page, shown, last) };
      const { error } = await client
        .query(gql(PAGE), variables, { requestPolicy: 'network-only' })
        .toPromise();
      if (error) return render(null, faultOf(error));
      last = variables;
      watched?.unsubscribe();
      watched = client.query(gql(PAGE), variables, { requestPolicy: 'cache-only' }).subscribe(({ data }) => {
        shown = data?.tenant?.groups ?? shown;
        render(shown);
      });
    },
    async rename(id, name) {
      await client.mutation(gql(RENAME), { input: { id, name } }).toPromise();
    },
  };
};

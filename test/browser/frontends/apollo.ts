// A frontend with Apollo Client.
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client/core/index.js';
import { PAGE, RENAME } from './documents.ts';
import { argumentsOf, faultOf, fetchWith, type Listed, render, type Start } from './screen.ts';

export const start: Start = (uri, tenant) => {
  let token = '';
  const client = new ApolloClient({
    link: new HttpLink({ uri, fetch: fetchWith(() => token) as typeof fetch }),
    cache: new InMemoryCache(),
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
      try {
        await client.query({ query: gql(PAGE), variables, fetchPolicy: 'network-only' });
      } catch (error) {
        return render(null, faultOf(error));
      }
      last = variables;
      watched?.unsubscribe();
      const query = client.watchQuery<{ tenant: { groups: Listed } }>({
        query: gql(PAGE),
        variables,
        fetchPolicy: 'cache-only',
      });
      watched = query.subscribe(({ data }) => {
        shown = (data?.tenant?.groups as Listed | undefined) ?? shown;
        render(shown);
      });
    },
    async rename(id, name) {
      await client.mutate({ mutation: gql(RENAME), variables: { input: { id, name } } });
    },
  };
};

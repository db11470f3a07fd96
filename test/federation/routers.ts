// Two routers over a supergraph, each listening, each forwarding its caller's token: Hive Gateway and Apollo's gateway.
import {
  ApolloGateway,
  type GraphQLDataSourceProcessOptions,
  RemoteGraphQLDataSource,
} from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { createGatewayRuntime } from '@graphql-hive/gateway-runtime';
import { type Listening, listenTo } from './subgraphs.ts';

/** Header by header, never all of them: a router that forwards everything forwards what it should not. */
const FORWARDED = ['authorization'] as const;

type Headers = Record<string, string | undefined>;

type Context = { headers: Headers };

class ForwardingSource extends RemoteGraphQLDataSource<Context> {
  override willSendRequest({ request, context }: GraphQLDataSourceProcessOptions<Context>) {
    for (const name of FORWARDED) {
      const value = context.headers?.[name];
      if (value) request.http?.headers.set(name, value);
    }
  }
}

export const ROUTERS = {
  '@apollo/gateway': async (supergraphSdl: string): Promise<Listening> => {
    const gateway = new ApolloGateway({
      supergraphSdl,
      buildService: ({ url }) => new ForwardingSource({ url: url! }),
      logger: SILENT,
    });
    const server = new ApolloServer<Context>({ gateway, logger: SILENT });
    const { url } = await startStandaloneServer(server, {
      context: async ({ req }) => ({ headers: req.headers as Headers }),
      listen: { port: 0, host: '127.0.0.1' },
    });
    return { url, close: () => server.stop() };
  },
  'Hive Gateway': async (supergraph: string): Promise<Listening> => {
    const gateway = createGatewayRuntime({
      supergraph,
      propagateHeaders: {
        fromClientToSubgraphs: ({ request }) =>
          Object.fromEntries(
            FORWARDED.flatMap((name) => {
              const value = request.headers.get(name);
              return value ? [[name, value]] : [];
            }),
          ),
      },
      logging: false,
      maskedErrors: false,
    });
    const server = await listenTo(gateway);
    return {
      url: server.url,
      async close() {
        await server.close();
        await gateway[Symbol.asyncDispose]();
      },
    };
  },
};

export type Router = keyof typeof ROUTERS;

const quiet = () => {};
const SILENT = { debug: quiet, info: quiet, warn: quiet, error: quiet };

// Two small subgraphs beside ours: accounts, with users' own fields, and documents, each open to a group.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { type GraphQLSchema, parse } from 'graphql';
import { createYoga, type YogaInitialContext } from 'graphql-yoga';
import { decodeJwt } from 'jose';

export type Listening = { url: string; close(): Promise<void> };

const LINK =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable"';

/** It owns what a user says of itself; `email` and `displayName` are known to the directory too. */
export const ACCOUNTS = `${LINK}])
  type Query { me: User }
  type User @key(fields: "id") {
    id: ID!
    email: String! @shareable
    displayName: String @shareable
    timeZone: String!
  }`;

/**
 * A document is open to the effective members of one group: whether to you is what the directory says. The field that
 * requires it stands on the group; `viewerMayRead` asks the same through a document, which not every router can do.
 */
export const DOCUMENTS = `${LINK}, "@external", "@requires"])
  type Query { documents(first: Int! = 100): [Document!]! }
  type Document @key(fields: "id") {
    id: ID!
    title: String!
    owner: User!
    allowedGroup: Group
    viewerMayRead: Boolean @requires(fields: "allowedGroup { hasEffectiveMember }")
  }
  type Group @key(fields: "id") {
    id: ID!
    hasEffectiveMember(userId: ID): Boolean @external
    viewerMayReadDocuments: Boolean @requires(fields: "hasEffectiveMember")
  }
  type User @key(fields: "id", resolvable: false) { id: ID! }`;

/** Trusts every token, as a subgraph without rules of its own would. */
export function startAccounts(): Promise<Listening> {
  const account = (id: string) => ({
    id,
    email: `${id.toLowerCase()}@example.org`,
    displayName: null,
    timeZone: 'Europe/Lisbon',
  });
  return listen(
    buildSubgraphSchema({
      typeDefs: parse(ACCOUNTS),
      resolvers: {
        Query: {
          me: (_root: unknown, _args: unknown, { request }: YogaInitialContext) =>
            account(decodeJwt(request.headers.get('authorization')!.slice('Bearer '.length)).sub!),
        },
        User: { __resolveReference: ({ id }: { id: string }) => account(id) },
      } as never,
    }),
  );
}

export type DocumentFixture = { id: string; title: string; ownerId: string; groupId: string };
type Group = { hasEffectiveMember?: boolean | null };
type Document = DocumentFixture & { allowedGroup?: Group | null };

/** Serves these documents; what it required of their groups comes back in the representation. */
export function startDocuments(documents: readonly DocumentFixture[]): Promise<Listening> {
  return listen(
    buildSubgraphSchema({
      typeDefs: parse(DOCUMENTS),
      resolvers: {
        Query: { documents: (_root: unknown, { first }: { first: number }) => documents.slice(0, first) },
        Document: {
          __resolveReference: (representation: Document) => ({
            ...documents.find(({ id }) => id === representation.id),
            ...representation,
          }),
          owner: ({ ownerId }: Document) => ({ id: ownerId }),
          allowedGroup: ({ groupId }: Document) => ({ id: groupId }),
          viewerMayRead: ({ allowedGroup }: Document) => allowedGroup?.hasEffectiveMember === true,
        },
        Group: {
          __resolveReference: (representation: Group) => representation,
          viewerMayReadDocuments: ({ hasEffectiveMember }: Group) => hasEffectiveMember === true,
        },
      } as never,
    }),
  );
}

async function listen(schema: GraphQLSchema): Promise<Listening> {
  return listenTo(createYoga({ schema, logging: false, landingPage: false }));
}

/** A server on a free port of the loopback interface. */
export async function listenTo(listener: Parameters<typeof createServer>[1]): Promise<Listening> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

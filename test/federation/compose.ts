// Two independent composers, each from the SDL of subgraphs to that of a supergraph.
import { composeServices as composeByApollo } from '@apollo/composition';
import { composeServices as composeByTheGuild } from '@theguild/federation-composition';
import { parse } from 'graphql';

export type Subgraph = { name: string; url: string; sdl: string };

export type Composed = { supergraph: string; hints: string[] };

/** Each composer by name. They throw with every error of a composition. */
export const COMPOSERS = {
  '@apollo/composition': (subgraphs: readonly Subgraph[]): Composed => {
    const { supergraphSdl, errors, hints = [] } = composeByApollo(subgraphs.map(parsed));
    return { supergraph: composed(supergraphSdl, errors), hints: hints.map(({ message }) => message) };
  },
  '@theguild/federation-composition': (subgraphs: readonly Subgraph[]): Composed => {
    const { supergraphSdl, errors } = composeByTheGuild(subgraphs.map(parsed));
    return { supergraph: composed(supergraphSdl, errors), hints: [] };
  },
};

export type Composer = keyof typeof COMPOSERS;

const parsed = ({ name, url, sdl }: Subgraph) => ({ name, url, typeDefs: parse(sdl) });

function composed(sdl: string | undefined, errors: readonly { message: string }[] = []): string {
  if (!sdl) throw new Error(errors.map(({ message }) => message).join('\n'));
  return sdl;
}

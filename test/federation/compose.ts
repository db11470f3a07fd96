// Two independent composers, each from the SDL of subgraphs to that of a supergraph.
import { composeServices as composeByApollo } from '@apollo/composition';
import { composeServices as composeByTheGuild } from '@theguild/federation-composition';
import { parse } from 'graphql';

export type Subgraph = { name: string; url: string; sdl: string };

/** Each composer by name. They throw with every error, and with every hint, that composition gave. */
export const COMPOSERS = {
  '@apollo/composition': (subgraphs: readonly Subgraph[]): string => {
    const services = subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) }));
    const { supergraphSdl, errors, hints } = composeByApollo(services);
    return composed(supergraphSdl, errors ?? hints);
  },
  '@theguild/federation-composition': (subgraphs: readonly Subgraph[]): string => {
    const services = subgraphs.map(({ name, url, sdl }) => ({ name, url, typeDefs: parse(sdl) }));
    const { supergraphSdl, errors } = composeByTheGuild(services);
    return composed(supergraphSdl, errors);
  },
};

export type Composer = keyof typeof COMPOSERS;

function composed(sdl: string | undefined, faults: readonly { message: string }[] = []): string {
  if (!sdl || faults.length > 0) throw new Error(faults.map(({ message }) => message).join('\n'));
  return sdl;
}

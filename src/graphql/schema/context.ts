// The context of resolvers: the directory, opened for the caller of the request.
import type { Directory } from '../../domain/directory.ts';

export type Context = {
  /** Decides all access. Resolvers have no other access to data. */
  readonly directory: Directory;
};

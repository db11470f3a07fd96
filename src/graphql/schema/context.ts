// What every resolver is given: the directory, opened for the caller of this request.
import type { Directory } from '../../domain/directory.ts';

export type Context = {
  /** All access is decided in here: a resolver has no other way to data. */
  readonly directory: Directory;
};

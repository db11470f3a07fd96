// Turns a list or count that the domain hides from the caller (null) into 404.
import { refuse } from '../model/errors.ts';

/** The value; NOT_FOUND if it is null. An end user sees their groups, but not the lists of a group. */
export function orNotFound<Value>(groupId: string, value: Value | null): Value {
  if (value === null) throw refuse.notFound(groupId);
  return value;
}

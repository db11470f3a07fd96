// What the domain hides by null, answered as REST hides things: not found.
import { refuse } from '../model/errors.ts';

/** The value, unless it is hidden from the caller: an end user sees a group of its own, but none of its lists. */
export function orNotFound<Value>(groupId: string, value: Value | null): Value {
  if (value === null) throw refuse.notFound(groupId);
  return value;
}

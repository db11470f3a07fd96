// Numbers that look random and follow from a seed.

/** Draws whole numbers below a bound, by Park and Miller's minimal standard generator. */
export function randomFrom(seed: number): (below: number) => number {
  let state = 1 + (seed % 2_147_483_646);
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

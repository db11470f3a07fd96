// The check before the measurement: all contenders must give the same answers, or their speed says nothing.
import { isDeepStrictEqual } from 'node:util';
import type { Contender } from './contenders.ts';
import type { Query } from './queries.ts';
import { anyOf, askOnce } from './requests.ts';

/** Variants of a query, drawn at random, that are compared. */
const COMPARED = 8;

/** Throws with both answers for the first difference; gives the number of answers compared. */
export async function assertSameAnswers(
  contenders: readonly Contender[],
  queries: readonly Query[],
  cursors: ReadonlyMap<Contender, string[]>,
): Promise<number> {
  let compared = 0;
  for (const { id, asks, variants } of queries) {
    if (variants.length === 0) throw new Error(`${id}: the data set has nothing to ask about`);
    for (const variant of Array.from({ length: COMPARED }, () => anyOf(variants))) {
      let first: { name: string; answer: unknown } | null = null;
      for (const contender of contenders) {
        const ask = contender.operations.ask(asks, variant, cursors.get(contender)!);
        if (!ask) continue;
        const answer = contender.operations.read(asks, await askOnce(contender, ask));
        first ??= { name: contender.name, answer };
        compared += 1;
        if (isDeepStrictEqual(first.answer, answer)) continue;
        throw new Error(
          `${id} ${JSON.stringify(variant)}\n${first.name}: ${JSON.stringify(first.answer).slice(0, 600)}\n${contender.name}: ${JSON.stringify(answer).slice(0, 600)}`,
        );
      }
    }
  }
  return compared;
}

// Puts all faults of a file into it at once, each behind a switch, so that modules are loaded once for many faults.
import type { Fault } from './faults.ts';

/** The name under which the switch `(id) => boolean` stands on `globalThis`: true for the fault that is to be. */
export const SWITCH = '__fault';

/** `idOf` numbers the faults in the whole run. */
export function instrument(source: string, faults: readonly Fault[], idOf: (fault: Fault) => number): string {
  const groups = [...Map.groupBy(faults, ({ start, end, wrap }) => `${start}:${end}:${wrap}`).values()].map(
    (alike) => ({
      start: alike[0]!.start,
      end: alike[0]!.end,
      wrap: alike[0]!.wrap,
      alike,
    }),
  );
  // Outer ranges first; of equal ones the statement.
  groups.sort((a, b) => a.start - b.start || b.end - a.end || (a.wrap === 'statement' ? -1 : 1));
  let next = 0;
  const render = (from: number, to: number): string => {
    let text = '';
    let at = from;
    while (next < groups.length && groups[next]!.start < to) {
      const { start, end, wrap, alike } = groups[next++]!;
      text += source.slice(at, start);
      const original = render(start, end);
      const chosen = (fault: Fault) => `globalThis.${SWITCH}(${idOf(fault)})`;
      text +=
        wrap === 'statement'
          ? `{${alike.map((fault) => `if(${chosen(fault)}){${fault.text}}else `).join('')}{${original}}}`
          : `(${alike.map((fault) => `${chosen(fault)}?(${fault.text}):`).join('')}(${original}))`;
      at = end;
    }
    return text + source.slice(at, to);
  };
  return render(0, source.length);
}

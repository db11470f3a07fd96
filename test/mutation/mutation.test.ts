// The faults that `npm run mutate` puts into the source: which ones, and that the source stays itself without them.
import { globSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { readEquivalents } from './equivalents.ts';
import { type Fault, faultsOf } from './faults.ts';
import { instrument, SWITCH } from './instrument.ts';
import { NOT_MEASURED, ROOMS } from './rooms.ts';

const ROOT = join(import.meta.dirname, '../..');

const source = `export function price(age: number, names: string[] = ['a'], { vip = false } = {}) {
  if (age < 18 && !vip) return names.filter((name) => name !== '').length;
  let sum = 10;
  sum += age;
  return names.at(0)?.trim().length ?? sum;
}
`;

async function faultsIn(text: string): Promise<Fault[]> {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-faults-'));
  await writeFile(join(folder, 'source.ts'), text);
  return faultsOf(folder, 'source.ts');
}

test('each operator, flag, call and statement is a fault of its own', async () => {
  const faults = await faultsIn(source);
  expect(faults.map(({ line, operator, what }) => `${line} ${operator}: ${what}`)).toEqual([
    "1 element: -'a'",
    "1 text: 'a' → ''",
    '1 flag: false → true',
    '2 condition: age < 18 && !vip → true',
    '2 condition: age < 18 && !vip → false',
    '2 logic: && → ||',
    '2 comparison: < → <=',
    '2 comparison: < → >',
    '2 number: 18 → 19',
    '2 negation: !vip → vip',
    "2 call: -.filter((name) => name !== '')",
    '2 comparison: !== → ===',
    "2 text: '' → '?'",
    '3 number: 10 → 11',
    '4 statement: -sum += age;',
    '4 assignment: += → -=',
    '5 fallback: names.at(0)?.trim().length ?? sum → names.at(0)?.trim().length',
    '5 number: 0 → 1',
  ]);
});

test('with all faults in it the source does what it did, and with one switched on something else', async () => {
  const faults = await faultsIn(source);
  const instrumented = instrument(source, faults, (fault) => faults.indexOf(fault));
  const folder = await mkdtemp(join(tmpdir(), 'coterie-faults-'));
  const path = join(folder, 'instrumented.ts');
  await writeFile(path, instrumented);
  const { price } = (await import(/* @vite-ignore */ path)) as {
    price(age: number, names?: string[], options?: { vip?: boolean }): number;
  };
  const run = (active: number) => {
    vi.stubGlobal(SWITCH, (id: number) => id === active);
    return [
      price(17),
      price(18, ['ab']),
      price(17, ['', 'b']),
      price(20, [' ab ']),
      price(20, []),
      price(17, [], { vip: true }),
    ];
  };
  const right = run(-1);
  expect(right).toEqual([1, 2, 1, 2, 30, 27]);
  const alike = faults.filter((_, id) => JSON.stringify(run(id)) === JSON.stringify(right));
  expect(alike.map(({ what }) => what)).toEqual([]);
});

test('conjuncts, comparisons and locks of SQL are faults, and what is put into it is left whole', async () => {
  const faults = await faultsIn(`const rows = (id: string) => sql\`
    select distinct g.id from groups g left join users u on u.id = g.id and u.tenant_id = g.tenant_id
    where (g.id = \${id} or g.name is null) and not exists (select 1 from x where x.n <= 3)
    order by g.name desc for update of g skip locked\`;`);
  expect(faults.map(({ operator, what }) => `${operator}: ${what}`)).toEqual([
    'sql: -distinct',
    'sql: left join → join',
    'sql conjunct: -u.id = g.id and',
    'sql: = → <>',
    'sql conjunct: -and u.tenant_id = g.tenant_id',
    'sql: = → <>',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a text of the source.
    'sql conjunct: -(g.id = ${id} or g.name is null) and',
    'sql: = → <>',
    'sql: or → and',
    'sql: is → is not',
    'sql conjunct: -and not exists (select 1 from x where x.n <= 3)',
    'sql: not exists → exists',
    'sql conjunct: x.n <= 3 → true',
    'sql: <= → <',
    'sql: 3 → 4',
    'sql: desc → asc',
    'sql lock: -for update of g skip locked',
    'sql lock: -skip locked',
  ]);
});

const sources = globSync('src/**/*.ts', { cwd: ROOT }).filter((file) => !file.includes('/generated/'));

test('each source file is measured in one room, or said to be in none', () => {
  const places = [...ROOMS, ...NOT_MEASURED].flatMap(({ source }) =>
    source.map((pattern) => ({ pattern, files: globSync(pattern, { cwd: ROOT }) })),
  );
  expect(places.filter(({ files }) => files.length === 0)).toEqual([]);
  const placed = places.flatMap(({ files }) => files).filter((file) => file.endsWith('.ts'));
  expect(placed.toSorted()).toEqual(sources.toSorted());
});

test('each pattern of tests names some', () => {
  const patterns = ROOMS.flatMap(({ tests }) => tests);
  expect(patterns.filter((pattern) => globSync(pattern, { cwd: ROOT }).length === 0)).toEqual([]);
});

test('each fault that is said to be equivalent is one of the source', () => {
  const faults = sources.flatMap((file) => faultsOf(ROOT, file));
  expect(readEquivalents().stale(faults)).toEqual([]);
});

// The benchmark's own rules: differing answers fail the run, keys come from everywhere, and a missed goal is marked.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { assertSameAnswers } from './bench/checks.ts';
import type { Contender } from './bench/contenders.ts';
import { applyLoad } from './bench/load.ts';
import { limit } from './bench/operations/limit.ts';
import { summarize, toSample, toTable } from './bench/report.ts';
import { readRequests } from './bench/requests.ts';

/** A contender whose every answer is the same. */
async function answering(name: string, data: unknown): Promise<Contender> {
  const server = createServer((_request, response) => response.end(JSON.stringify({ data })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return {
    name,
    label: name,
    operations: limit,
    port,
    pid: 0,
    headers: {},
    startMs: 0,
    stop: async () => {},
  };
}

const groups = Array.from({ length: 50 }, (_, n) => ({ tenant: 'tnt_1', group: `grp_${n}` }));
const query = { id: 'Q1', asks: 'Q1', title: 'one group', variants: groups };

test('a run with differing answers fails, and tells both', async () => {
  const [one, same, other] = await Promise.all([
    answering('one', [1]),
    answering('same', [1]),
    answering('other', [2]),
  ]);
  const cursors = new Map([one, same, other].map((contender) => [contender, []]));
  expect(await assertSameAnswers([one, same], [query], cursors)).toBe(16);
  await expect(assertSameAnswers([one, same, other], [query], cursors)).rejects.toThrow(
    /one: \[1\]\nother: \[2\]/,
  );
});

test('requests take keys from the whole list', async () => {
  const next = readRequests(await answering('one', null), query, [])!;
  const asked = new Set(Array.from({ length: 2_000 }, () => /grp_\d+/.exec(String(next()))![0]));
  expect(asked.size).toBe(groups.length);
});

test('latencies of writes are kept apart, and one that was answered is done', async () => {
  const { port } = await answering('one', null);
  const bytes = Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  let [asked, done] = [0, 0];
  const next = () => (asked++ % 5 === 0 ? { bytes, done: () => (done += 1) } : bytes);
  const load = await applyLoad({ port, connections: 1, seconds: 30, enough: 50, next: next as never });
  expect([load.requests, load.latencies.length, load.writeLatencies.length, done]).toEqual([50, 40, 10, 10]);
});

test('a goal that was missed is marked, one that was reached is not', () => {
  const times = { failures: 0, latencies: new Float64Array([1]), writeLatencies: new Float64Array() };
  const sample = (requests: number) => [toSample({ ...times, requests, seconds: 1 }, null, null)];
  const samples = new Map([
    ['coterie', sample(150)],
    ['postgraphile', sample(100)],
    ['limit', sample(160)],
  ]);
  const line = summarize({ query: { id: 'Q', title: '', goals: { postgraphile: 2, limit: 0.9 } }, samples });
  const table = toTable([line]);
  expect(table).toContain('1.50 (goal 2 **!**)');
  expect(table).toContain('0.94 (goal 0.9)');
});

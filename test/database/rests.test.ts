// Statements to a server that does not answer: one at a time tries it, and the others do not wait.
import { expect, test } from 'vitest';
import { Prisma, type Query } from '../../src/database/database.ts';
import { withRests } from '../../src/database/rests.ts';

const ONE = Prisma.sql`select 1`;
const lost = Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' });

function server() {
  const state = { now: 0, sent: 0, answer: async (): Promise<object[]> => [] };
  const query: Query = () => {
    state.sent += 1;
    return state.answer() as never;
  };
  return { state, ask: withRests(query, () => state.now) };
}

test('a server that is lost is asked again once in a second, and by all as soon as it answers', async () => {
  const { state, ask } = server();
  state.answer = () => Promise.reject(lost);
  await expect(ask(ONE)).rejects.toBe(lost);
  state.now = 999;
  await expect(ask(ONE)).rejects.toThrow('did not answer lately');
  expect(state.sent).toBe(1);
  // One tries, however long that takes; the others do not wait for it.
  state.now = 1_000;
  const { promise, resolve } = Promise.withResolvers<object[]>();
  state.answer = () => promise;
  const trying = ask(ONE);
  await expect(ask(ONE)).rejects.toThrow('did not answer lately');
  resolve([{ one: 1 }]);
  expect(await trying).toEqual([{ one: 1 }]);
  await ask(ONE);
  expect(state.sent).toBe(3);
});

test('an error of a server that is there is thrown, and keeps nobody away', async () => {
  const { state, ask } = server();
  const conflict = Object.assign(new Error('conflict with recovery'), { code: '40001' });
  state.answer = () => Promise.reject(conflict);
  await expect(ask(ONE)).rejects.toBe(conflict);
  await expect(ask(ONE)).rejects.toBe(conflict);
  expect(state.sent).toBe(2);
});

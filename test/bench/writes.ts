// The writes of a run: valid for as long as it takes, all in the largest tenant, and taken away again after each row.
import type { Write, WriteKind } from './contenders/statements.ts';
import type { Contender } from './contenders.ts';
import { requestBytes, type WriteRequest } from './load.ts';
import { anyOf } from './requests.ts';
import type { RunSql } from './run-sql.ts';

const KINDS = ['add', 'remove', 'nest', 'unnest', 'rename', 'upsert'] as const;
/** What makes that which the other takes away. */
const MAKES: Partial<Record<WriteKind, WriteKind>> = { remove: 'add', unnest: 'nest' };

export type Writes = {
  /** The writes of one load, in turn: those of all kinds, or of the kinds that are named. */
  of(contender: Contender, kinds?: readonly WriteKind[]): () => WriteRequest;
  /** Takes them away again, so that every row starts alike. */
  clear(run: RunSql): Promise<void>;
};

export async function readWrites(run: RunSql, depth: number): Promise<Writes> {
  const groups = await run('select id, n from bench.groups where t = 0 and n > 100');
  const users = await run(`select b.id, u.email from bench.users b join users u using (id) where b.t = 0`);
  const [{ id: tenant }] = (await run('select id from bench.tenants where t = 0')) as [{ id: string }];
  let made = 0;

  /** The two groups of a nesting that closes no circle: the data set nests a level in the ones before. */
  function nesting(): Pick<Write, 'target' | 'value'> {
    for (;;) {
      const [parent, child] = [anyOf(groups), anyOf(groups)];
      if (parent.n % depth < child.n % depth) return { target: parent.id, value: child.id };
    }
  }

  function fresh(kind: WriteKind): Write {
    made += 1;
    const { id, email } = anyOf(users);
    const of = { kind, tenant };
    if (kind === 'upsert') return { ...of, target: id, value: `User ${made}`, email };
    if (kind === 'nest') return { ...of, ...nesting() };
    return { ...of, target: anyOf(groups).id, value: kind === 'rename' ? `Renamed ${made}` : id };
  }

  return {
    of({ operations, headers }, kinds = KINDS) {
      const done: Partial<Record<WriteKind, Write[]>> = { add: [], nest: [] };
      let at = 0;
      return () => {
        const kind = kinds[at++ % kinds.length]!;
        const maker = MAKES[kind];
        const before = maker && done[maker]!.shift();
        const write = before ? { ...before, kind } : fresh(maker ?? kind);
        const { path, body } = operations.write(write);
        return { bytes: requestBytes(path, body, headers), done: () => done[write.kind]?.push(write) };
      };
    },
    async clear(again) {
      for (const table of ['memberships', 'nestings']) {
        const at = table === 'memberships' ? 'added' : 'created';
        await again(`delete from ${table} where ${at}_by <> 'bench' or ${at}_at > '2026-06-01'`);
      }
      await again(`update groups g set name = b.name, name_key = lower(b.name), search_key = lower(b.name)
        from bench.groups b where b.t = 0 and g.tenant_id = '${tenant}' and g.id = b.id and g.name <> b.name`);
      await again(`update groups g set member_count = m.n
        from (select group_id, count(*)::int as n from memberships where tenant_id = '${tenant}' group by 1) m
        where g.tenant_id = '${tenant}' and g.id = m.group_id and g.member_count <> m.n`);
      // The head is of another history then: nothing that was cached before is valid.
      await again('truncate changes, membership_history, nesting_history, group_history, user_history');
      await again(`update tenant_logs set position = position + 1, change_id = gen_random_uuid(), exact_from = position + 1
        where tenant_id = '${tenant}'`);
      for (const table of ['memberships', 'nestings', 'groups', 'users'])
        await again(`vacuum analyze ${table}`);
    },
  };
}

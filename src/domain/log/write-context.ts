// The write context of a change: one tenant, one transaction, one position of the tenant's log, and what is recorded at it.

import { randomUUID } from 'node:crypto';
import { type Database, Prisma, type Query, type TransactionOptions } from '../../database/database.ts';
import { databaseError } from '../../database/errors.ts';
import { type Caller, isUserCaller } from '../../model/caller.ts';
import type { TenantId } from '../../model/ids.ts';
import { type Actor, type Change, type Head, insertChanges } from './changes.ts';

export type WriteContext = {
  /** Runs SQL inside the transaction. */
  readonly query: Query;
  readonly tenantId: TenantId;
  readonly actor: Actor;
  /** The position that the change takes if it records anything. A change without effect records nothing and takes none. */
  readonly position: number;
  /** The time of the change: never earlier than that of the one before. */
  readonly at: Date;
  /** Runs SQL that no later statement of the change waits for. */
  send(statement: Prisma.Sql): void;
  /** Records what happens, in this order. It is appended to the log at the end of the transaction. */
  record(change: Change): void;
};

/** The caller as the author of a change. */
export function actorOf(caller: Caller): Actor {
  const service = !isUserCaller(caller) && (caller.role === 'SERVICE' || caller.role === 'PLATFORM');
  return { id: caller.subject, type: service ? 'service' : 'user' };
}

type Changing = Pick<WriteContext, 'query' | 'tenantId' | 'actor'> & {
  /** Called with the position once the change is to take it. */
  taken?: (position: number) => void;
};

/** The open changes that changes of a database join: those of the databases that `inside` returns. */
const openChanges = new WeakMap<Database, WriteContext>();

/**
 * A database inside the transaction of an open change. Its statements run there, and its changes are parts of the open one. What
 * is cached for it is shared with no other database: rows that are not committed reach no request.
 */
export function inside(tx: WriteContext, { kind, onStatement }: Database): Database {
  const refused = () => Promise.reject(new Error('A transaction is open: nothing runs outside it'));
  const db: Database = {
    kind,
    sql: tx.query,
    standby: null,
    change: refused,
    transaction: refused,
    onStatement,
    close: refused,
  };
  openChanges.set(db, tx);
  return db;
}

/**
 * Runs `work` as the next change of the tenant, in a transaction of its own. Its errors are those of `databaseError`. Inside an
 * open change it runs as a part of that one, with the errors as they are; a change of another tenant is null there.
 */
export async function change<Result extends object>(
  db: Database,
  { tenantId, actor, signal }: Pick<WriteContext, 'tenantId' | 'actor'> & TransactionOptions,
  work: (tx: WriteContext) => Promise<Result>,
): Promise<(Result & { position: number }) | null> {
  const open = openChanges.get(db);
  if (open) return open.tenantId === tenantId ? { ...(await work(open)), position: open.position } : null;
  let position: number | undefined;
  const taken = (next: number) => {
    position = next;
  };
  try {
    const run = (query: Query) => changeTenant({ query, tenantId, actor, taken }, work);
    return await db.transaction(run, { signal, turn: tenantId });
  } catch (error) {
    throw databaseError(error, position);
  }
}

/**
 * Runs `work` inside the transaction of `query`, as the next change of the tenant: changes of one tenant run one at a time.
 * Returns its result with the position of the log after it; null if there is no such tenant. It must run
 * before all that depends on the tenant's state: under READ COMMITTED, later statements see everything that the change before
 * committed.
 */
export async function changeTenant<Result extends object>(
  { query, tenantId, actor, taken }: Changing,
  work: (tx: WriteContext) => Promise<Result>,
): Promise<(Result & { position: number }) | null> {
  const before = await lockLog(query, tenantId);
  if (!before) return null;
  const head: Head = { position: before.position + 1, changeId: randomUUID() };
  const changes: Change[] = [];
  const record = (change: Change) => {
    changes.push(change);
  };
  const { at } = before;
  const pending: Promise<unknown>[] = [];
  const send = (statement: Prisma.Sql) => {
    const answer = query(statement);
    answer.catch(() => {});
    pending.push(answer);
  };
  const result = await work({ query, tenantId, actor, position: head.position, at, record, send }).catch(
    async (error: unknown) => {
      // A statement that failed before is the cause, if there is one.
      await Promise.all(pending);
      throw error;
    },
  );
  if (changes.length === 0) return { ...result, position: before.position };
  taken?.(head.position);
  // COMMIT is sent right behind them, and fails with the first one that fails: others wait for the lock meanwhile.
  insertChanges(send, { tenantId, head, at, actor }, changes);
  send(Prisma.sql`
    update tenant_logs set position = ${head.position}::bigint, change_id = ${head.changeId}::uuid, at = ${at}::timestamptz
    where tenant_id = ${tenantId}`);
  return { ...result, position: head.position };
}

/**
 * Locks the tenant's log until the transaction ends, and reads its position. `at`: the time of the next change, in whole
 * milliseconds, so that JavaScript and PostgreSQL hold the same one. Null if there is no such tenant.
 */
async function lockLog(query: Query, tenantId: TenantId): Promise<{ position: number; at: Date } | null> {
  const [log] = await query<{ position: number; at: Date }>(Prisma.sql`
    select position::float8 as position, greatest(at, date_trunc('milliseconds', clock_timestamp())) as at
    from tenant_logs where tenant_id = ${tenantId} for no key update`);
  return log ?? null;
}

// The directory as one caller sees it: the one place where access is decided. Everything else asks it.
import { type Database, Prisma, type Query, type Sql } from '../database/database.ts';
import { databaseError } from '../database/errors.ts';
import { type Caller, isUserCaller, type Sight, type UserCaller } from '../model/caller.ts';
import { refuse } from '../model/errors.ts';
import { type ScopedPrisma, scopedPrisma } from './scoped-prisma.ts';

/**
 * A directory opened for one caller and one request: its answers are cached until the caller changes something.
 * Every statement it issues carries the caller's tenants, Prisma's (`prisma`) and SQL (`scope`) alike.
 */
export type Directory = {
  readonly caller: Caller;
  readonly db: Database;
  /** Prisma bound to the tenants in sight. */
  readonly prisma: ScopedPrisma;
  /** Runs SQL outside a transaction; the statement must hold `scope` for each table that belongs to a tenant. */
  readonly sql: Query;
  /** Predicate that holds for rows whose tenant column is in sight. */
  scope(tenantColumn: Sql): Sql;
  /** The same for a column that holds a partner's id. */
  scopePartner(partnerColumn: Sql): Sql;
  /** The value that `create` makes, once until the next change. */
  memo<Value>(key: object, create: () => Value): Value;
  /** Drops what was cached, after a change. */
  forget(): void;
};

export function openDirectory(db: Database, caller: Caller): Directory {
  let cache = new Map<object, unknown>();
  let prisma: ScopedPrisma | undefined;
  return {
    caller,
    db,
    get prisma() {
      prisma ??= scopedPrisma(db, caller);
      return prisma;
    },
    sql: (statement) => db.sql(statement).catch(rethrow) as never,
    scope: (tenantColumn) => tenantsInSight(caller, tenantColumn),
    scopePartner: (partnerColumn) => partnersInSight(caller, partnerColumn),
    memo(key, create) {
      if (!cache.has(key)) cache.set(key, create());
      return cache.get(key) as never;
    },
    forget() {
      cache = new Map();
    },
  };
}

/** One instance of what `create` makes for each directory, e.g. a DataLoader. */
export function perDirectory<Value>(
  create: (directory: Directory) => Value,
): (directory: Directory) => Value {
  return (directory) => directory.memo(create, () => create(directory));
}

/** The plain user who is calling, or null when the caller administers or reads whole tenants. */
export function plainUser(directory: Directory): UserCaller | null {
  return isUserCaller(directory.caller) ? directory.caller : null;
}

/** Whether the caller may change what it sees. */
export function mayChange({ caller }: Directory): boolean {
  return !isUserCaller(caller) && caller.mayChange;
}

/** Refuses callers that may only read. Call it after the target was found: what is hidden is not found first. */
export function assertMayChange(directory: Directory): void {
  if (!mayChange(directory)) throw refuse.forbidden();
}

/** Runs a change in one transaction and drops what this directory had cached. */
export async function change<Result>(
  directory: Directory,
  work: (sql: Query) => Promise<Result>,
): Promise<Result> {
  try {
    return await directory.db.transaction(work);
  } catch (error) {
    return rethrow(error);
  } finally {
    directory.forget();
  }
}

/** The same for a change that is one statement: it is its own transaction. */
export async function changeAtOnce<Row extends object>(directory: Directory, statement: Sql): Promise<Row[]> {
  try {
    return await directory.db.change<Row>(statement);
  } catch (error) {
    return rethrow(error);
  } finally {
    directory.forget();
  }
}

function rethrow(error: unknown): never {
  throw databaseError(error);
}

function partnersInSight(caller: Caller, partnerColumn: Sql): Sql {
  const sight: Sight = isUserCaller(caller) ? { kind: 'tenant', tenantId: caller.tenantId } : caller.sight;
  switch (sight.kind) {
    case 'tenant':
      return Prisma.sql`${partnerColumn} in (select partner_id from tenants where id = ${sight.tenantId})`;
    case 'partner':
      return Prisma.sql`${partnerColumn} = ${sight.partnerId}`;
    case 'all':
      return Prisma.sql`${partnerColumn} is not null`;
  }
}

function tenantsInSight(caller: Caller, tenantColumn: Sql): Sql {
  if (isUserCaller(caller)) return Prisma.sql`${tenantColumn} = ${caller.tenantId}`;
  switch (caller.sight.kind) {
    case 'tenant':
      return Prisma.sql`${tenantColumn} = ${caller.sight.tenantId}`;
    case 'partner':
      return Prisma.sql`${tenantColumn} in (select id from tenants where partner_id = ${caller.sight.partnerId})`;
    case 'all':
      return Prisma.sql`${tenantColumn} is not null`;
  }
}

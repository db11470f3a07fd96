// The directory as one caller sees it: which tenants are visible, who may read what, and who may change anything.
import {
  type Database,
  Prisma,
  type Query,
  type Sql,
  type TransactionOptions,
} from '../database/database.ts';
import { databaseError } from '../database/errors.ts';
import { type Caller, isUserCaller, type UserCaller, type Visibility } from '../model/caller.ts';
import { refuse } from '../model/errors.ts';
import type { TenantId } from '../model/ids.ts';
import { actorOf, lockTenant, type WriteContext, withWriteContext } from './log/write-context.ts';

/** What a read needs to know of its caller: the visible tenants. */
export type Reader = {
  readonly db: Database;
  readonly visibility: Visibility;
  /**
   * Runs SQL outside a transaction. The statement must apply `scope` or `within` to each table that has a tenant, unless a
   * foreign key joins it to a row of the same tenant.
   */
  readonly sql: Query;
  /**
   * Predicate for rows of visible tenants, to filter rows that another condition finds. Written so that no index can
   * serve it: the planner assumes a tenant of average size, and would scan a tenant by its index instead of looking up a
   * few ids, although one tenant can be most of the directory.
   */
  scope(tenantColumn: Sql): Sql;
  /** The same predicate for lists that find their rows by tenant: an index can serve it. */
  within(tenantColumn: Sql): Sql;
  /** Predicate for rows of visible partners. */
  scopePartner(partnerColumn: Sql): Sql;
};

/**
 * A directory opened for one caller and one request. Reads are cached until the caller changes something. Every
 * statement is limited to the caller's tenants (`scope`).
 */
export type Directory = Reader & {
  readonly caller: Caller;
  /** Ends a change that has not begun to commit. Reads are not ended: requests share them. */
  readonly signal: AbortSignal | undefined;
  /** Whether a change was stored: what fails later is only the reading of its response. */
  readonly hasCommitted: boolean;
  /** The cached value of `key`; calls `create` on first use and again after a change. */
  memo<Value>(key: object, create: () => Value): Value;
  /** Clears the cache after a change. */
  forget(): void;
  /**
   * Runs a change of a tenant in one transaction, under the tenant's lock, and stores the events that it records; then
   * clears the cache. Refused: NOT_FOUND if the tenant is not visible, FORBIDDEN if the caller may only read.
   */
  transact<Result>(tenantId: TenantId, work: (tx: WriteContext) => Promise<Result>): Promise<Result>;
};

/** `openDirectory` of one database. The signal ends a change that has not begun to commit. */
export type DirectoryOpener = (caller: Caller, options?: TransactionOptions) => Directory;

export function openDirectory(db: Database, caller: Caller, { signal }: TransactionOptions = {}): Directory {
  return new OpenDirectory(db, caller, signal);
}

/** A reader of these tenants, for statements that several callers share. */
export function readerOf(db: Database, visibility: Visibility): Reader {
  return new DatabaseReader(db, visibility);
}

// Classes, because each request creates one: V8 would give each object literal with an accessor its own hidden class.
class DatabaseReader implements Reader {
  readonly db: Database;
  readonly visibility: Visibility;

  constructor(db: Database, visibility: Visibility) {
    this.db = db;
    this.visibility = visibility;
  }

  readonly sql: Query = (statement) => this.db.sql(statement).catch(rethrow) as never;

  scope(tenantColumn: Sql): Sql {
    const within = this.within(tenantColumn);
    return this.visibility.kind === 'tenant' ? Prisma.sql`(${within}) is true` : within;
  }

  within(tenantColumn: Sql): Sql {
    return visibleTenants(this.visibility, tenantColumn);
  }

  scopePartner(partnerColumn: Sql): Sql {
    return visiblePartners(this.visibility, partnerColumn);
  }
}

class OpenDirectory extends DatabaseReader implements Directory {
  readonly caller: Caller;
  readonly signal: AbortSignal | undefined;
  hasCommitted = false;
  private cache = new Map<object, unknown>();

  constructor(db: Database, caller: Caller, signal: AbortSignal | undefined) {
    super(db, visibilityOf(caller));
    this.caller = caller;
    this.signal = signal;
  }

  memo<Value>(key: object, create: () => Value): Value {
    const cached = this.cache.get(key);
    if (cached !== undefined) return cached as Value;
    const created = create();
    this.cache.set(key, created);
    return created;
  }

  forget(): void {
    this.cache = new Map();
  }

  async transact<Result>(tenantId: TenantId, work: (tx: WriteContext) => Promise<Result>): Promise<Result> {
    const isVisible = this.scope(Prisma.sql`id`);
    try {
      const result = await this.db.transaction(async (query) => {
        const isLocked = await lockTenant(query, tenantId, isVisible);
        // An end user's own tenant is hidden from it.
        if (!isLocked || endUser(this)) throw refuse.notFound(tenantId);
        assertMayChange(this);
        return withWriteContext({ query, tenantId, actor: actorOf(this.caller) }, work);
      }, this);
      this.hasCommitted = true;
      return result;
    } catch (error) {
      return rethrow(error);
    } finally {
      this.forget();
    }
  }
}

/** Creates one value for each directory, e.g. a DataLoader; `create` is its cache key. */
export function perDirectory<Value>(
  create: (directory: Directory) => Value,
): (directory: Directory) => Value {
  return (directory) => directory.memo(create, () => create(directory));
}

/** Creates one value for each database, for what may outlive a request. */
export function perDatabase<Value>(create: () => Value): (db: Database) => Value {
  const values = new WeakMap<Database, Value>();
  return (db) => {
    const existing = values.get(db);
    if (existing !== undefined) return existing;
    const created = create();
    values.set(db, created);
    return created;
  };
}

/** The caller if it is an end user; null for callers who administer or read whole tenants. */
export function endUser(directory: Directory): UserCaller | null {
  return isUserCaller(directory.caller) ? directory.caller : null;
}

/**
 * Who may call a read: `administrators` are all callers except end users; `self` adds the end user that the read is
 * about; `anyone` adds all end users, so the read itself must leave out what they may not see.
 */
export type Audience = 'administrators' | 'self' | 'anyone';

/** What a read returns to callers outside its audience. */
export type Hidden<A extends Audience> = A extends 'anyone' ? never : null;
export const HIDDEN = Promise.resolve(null);

/** Whether the caller belongs to the audience; `subject` is the id of the user that the read is about, if any. */
export function isFor(directory: Directory, audience: Audience, subject: string | null = null): boolean {
  const user = endUser(directory);
  return user === null || audience === 'anyone' || (audience === 'self' && user.userId === subject);
}

/** Whether the caller may change the groups that it sees. */
export function mayChange({ caller }: Directory): boolean {
  return !isUserCaller(caller) && caller.mayChange;
}

/** Refuses callers that may only read with FORBIDDEN. Call it after finding the target, so that a hidden one is NOT_FOUND. */
export function assertMayChange(directory: Directory): void {
  if (!mayChange(directory)) throw refuse.forbidden();
}

function rethrow(error: unknown): never {
  throw databaseError(error);
}

/** The tenants that a caller's statements may read: for an end user its own, in which queries filter group by group. */
function visibilityOf(caller: Caller): Visibility {
  return isUserCaller(caller) ? { kind: 'tenant', tenantId: caller.tenantId } : caller.visibility;
}

function visiblePartners(visibility: Visibility, partnerColumn: Sql): Sql {
  switch (visibility.kind) {
    case 'tenant':
      return Prisma.sql`${partnerColumn} in (select partner_id from tenants where id = ${visibility.tenantId})`;
    case 'partner':
      return Prisma.sql`${partnerColumn} = ${visibility.partnerId}`;
    case 'all':
      return Prisma.sql`${partnerColumn} is not null`;
  }
}

function visibleTenants(visibility: Visibility, tenantColumn: Sql): Sql {
  switch (visibility.kind) {
    case 'tenant':
      return Prisma.sql`${tenantColumn} = ${visibility.tenantId}`;
    case 'partner':
      return Prisma.sql`${tenantColumn} in (select id from tenants where partner_id = ${visibility.partnerId})`;
    case 'all':
      return Prisma.sql`${tenantColumn} is not null`;
  }
}

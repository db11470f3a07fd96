// The directory as one caller sees it: the one place where access is decided. Everything else asks it.
import { type Database, Prisma, type Query, type Sql } from '../database/database.ts';
import { databaseError } from '../database/errors.ts';
import { type Caller, isUserCaller, type UserCaller, type Visibility } from '../model/caller.ts';
import { refuse } from '../model/errors.ts';
import type { TenantId } from '../model/ids.ts';
import { actorOf, lockTenant, type WriteContext, withWriteContext } from './log/write-context.ts';

/** What a read needs to know of whoever is asking: which tenants are in sight. */
export type Reader = {
  readonly db: Database;
  readonly visibility: Visibility;
  /** Runs SQL outside a transaction; the statement must hold `scope` or `within` for each table that belongs to a tenant. */
  readonly sql: Query;
  /**
   * Predicate that holds for rows whose tenant column is in sight: a check of rows that something else finds. It is kept
   * from the indexes, as the planner, which takes a tenant for an average one, would rather read a whole tenant than a
   * handful of ids; and some tenant is most of the directory.
   */
  scope(tenantColumn: Sql): Sql;
  /** The same as a key to find rows by: for lists of what is in sight. */
  within(tenantColumn: Sql): Sql;
  /** The same for a column that holds a partner's id. */
  scopePartner(partnerColumn: Sql): Sql;
};

/**
 * A directory opened for one caller and one request: its answers are cached until the caller changes something.
 * Every statement it issues carries the caller's tenants (`scope`).
 */
export type Directory = Reader & {
  readonly caller: Caller;
  /** The value that `create` makes, once until the next change. */
  memo<Value>(key: object, create: () => Value): Value;
  /** Drops what was cached, after a change. */
  forget(): void;
  /**
   * Runs a change of a tenant in one transaction, under the tenant's lock, with the events that it records; then drops
   * what was cached. Refused: NOT_FOUND if the tenant is not visible, FORBIDDEN if the caller may only read.
   */
  transact<Result>(tenantId: TenantId, work: (tx: WriteContext) => Promise<Result>): Promise<Result>;
};

export function openDirectory(db: Database, caller: Caller): Directory {
  return new OpenDirectory(db, caller);
}

/** Sees these tenants, whoever is asking. */
export function readerOf(db: Database, visibility: Visibility): Reader {
  return new DatabaseReader(db, visibility);
}

// Classes, since one is made for each request: a literal with an accessor would have a hidden class of its own each time.
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
  private cache = new Map<object, unknown>();

  constructor(db: Database, caller: Caller) {
    super(db, visibilityOf(caller));
    this.caller = caller;
  }

  memo<Value>(key: object, create: () => Value): Value {
    const known = this.cache.get(key);
    if (known !== undefined) return known as Value;
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
      return await this.db.transaction(async (query) => {
        const isLocked = await lockTenant(query, tenantId, isVisible);
        // To an end user its tenant is hidden.
        if (!isLocked || endUser(this)) throw refuse.notFound(tenantId);
        assertMayChange(this);
        return withWriteContext({ query, tenantId, actor: actorOf(this.caller) }, work);
      });
    } catch (error) {
      return rethrow(error);
    } finally {
      this.forget();
    }
  }
}

/** One instance of what `create` makes for each directory, e.g. a DataLoader. */
export function perDirectory<Value>(
  create: (directory: Directory) => Value,
): (directory: Directory) => Value {
  return (directory) => directory.memo(create, () => create(directory));
}

/** One instance of what `create` makes for each database: what may outlive a request. */
export function perDatabase<Value>(create: () => Value): (db: Database) => Value {
  const values = new WeakMap<Database, Value>();
  return (db) => {
    const known = values.get(db);
    if (known !== undefined) return known;
    const created = create();
    values.set(db, created);
    return created;
  };
}

/** The end user who is calling; null for callers who administer or read whole tenants. */
export function endUser(directory: Directory): UserCaller | null {
  return isUserCaller(directory.caller) ? directory.caller : null;
}

/**
 * Whom a read is for: `administrators` are all callers but end users; `self` adds the end user whom it is about; `anyone`
 * adds every end user, so that the read itself must leave out what they do not see.
 */
export type Audience = 'administrators' | 'self' | 'anyone';

/** What callers outside of an audience are given. */
export type Hidden<A extends Audience> = A extends 'anyone' ? never : null;
export const HIDDEN = Promise.resolve(null);

/** Whether the caller is of the audience of a read; `subject` is the user that it is about, if it is about one. */
export function isFor(directory: Directory, audience: Audience, subject: string | null = null): boolean {
  const user = endUser(directory);
  return user === null || audience === 'anyone' || (audience === 'self' && user.userId === subject);
}

/** Whether the caller may change what it sees. */
export function mayChange({ caller }: Directory): boolean {
  return !isUserCaller(caller) && caller.mayChange;
}

/** Refuses callers that may only read. Call it after the target was found: what is hidden is not found first. */
export function assertMayChange(directory: Directory): void {
  if (!mayChange(directory)) throw refuse.forbidden();
}

function rethrow(error: unknown): never {
  throw databaseError(error);
}

/** A plain user's tenant; what it sees there is decided group by group. */
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

// The directory as one caller sees it: which tenants are visible, who may read what, and who may change anything.
import { LRUCache } from 'lru-cache';
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
import { PRESENT, type Tables, tablesAt } from './log/tables.ts';
import { actorOf, change, type WriteContext } from './log/write-context.ts';

/** `position`: that of the tenant's log after a change. */
export type Positioned = { position: number };

/** The id of no tenant: what a statement reads for an id whose tenant is unknown or hidden. */
export const NO_TENANT = '' as TenantId;

/** `openDirectory` of one database. The signal ends a change that has not begun to commit. */
export type DirectoryOpener = (caller: Caller, options?: TransactionOptions) => Directory;

export function openDirectory(db: Database, caller: Caller, options?: TransactionOptions): Directory {
  return new Directory(db, caller, options);
}

/** A reader of one tenant, which must be visible to the caller. */
export const tenantReader = (db: Database, tenantId: TenantId): Reader =>
  new Reader(db, { kind: 'tenant', tenantId });

/** What a statement reads: one tenant, now or as of a position, or in lists across tenants those of `visibility`. */
// A class, because each request creates some: V8 would give each object literal with an accessor its own hidden class.
export class Reader {
  readonly db: Database;
  readonly visibility: Visibility;
  /** The tenant, which each statement names for each table: `tenant_id = ${tenantId}`. Across tenants none, which has no rows. */
  readonly tenantId: TenantId;
  /** The position of the tenant's log as of which it is read; null for the present. */
  readonly asOf: number | null;
  /** What statements name in place of the tables that have a history. */
  readonly tables: Tables;

  constructor(db: Database, visibility: Visibility, asOf: number | null = null) {
    this.db = db;
    this.visibility = visibility;
    this.tenantId = visibility.kind === 'tenant' ? visibility.tenantId : NO_TENANT;
    this.asOf = asOf;
    this.tables = asOf === null ? PRESENT : tablesAt(this.tenantId, asOf);
  }

  /** Runs SQL outside a transaction. */
  readonly sql: Query = (statement) => this.db.sql(statement).catch(rethrow) as never;

  /** Predicate for rows of the tenant or, in a list across tenants, of the visible tenants. */
  within(tenantColumn: Sql): Sql {
    switch (this.visibility.kind) {
      case 'tenant':
        return Prisma.sql`${tenantColumn} = ${this.tenantId}`;
      case 'partner':
        return Prisma.sql`${tenantColumn} in (select id from tenants where partner_id = ${this.visibility.partnerId})`;
      case 'all':
        return Prisma.sql`${tenantColumn} is not null`;
    }
  }
}

/** A tenant as it was at a position of its log. */
type Past = { tenantId: TenantId; position: number };

/** A directory opened for one caller and one request. Reads are cached until the caller changes something. */
export class Directory extends Reader {
  readonly caller: Caller;
  /** For each tenant that the request has read or changed, a position whose changes its answers hold. Empty for an end user. */
  readonly positions = new Map<TenantId, number>();
  /** Ends a change that has not begun to commit. Reads are not ended: requests share them. */
  readonly signal: AbortSignal | undefined;
  /** Whether a change was stored: what fails later is only the reading of its response. */
  hasCommitted = false;
  private cache = new Map<object, unknown>();

  constructor(db: Database, caller: Caller, { signal }: TransactionOptions = {}, past: Past | null = null) {
    super(db, past ? { kind: 'tenant', tenantId: past.tenantId } : visibilityOf(caller), past?.position);
    this.caller = caller;
    this.signal = signal;
  }

  /** The cached value of `create`, which is called on first use and again after a change. */
  memo<Value>(create: (directory: Directory) => Value): Value {
    const cached = this.cache.get(create);
    if (cached !== undefined) return cached as Value;
    const created = create(this);
    this.cache.set(create, created);
    return created;
  }

  /** A tenant that the caller sees, as it was at a position that its log has. What it was never changes. */
  at(tenantId: TenantId, position: number): Directory {
    const pasts = this.memo(pastDirectories);
    const key = `${tenantId} ${position}`;
    const past = pasts.get(key) ?? new Directory(this.db, this.caller, {}, { tenantId, position });
    pasts.set(key, past);
    return past;
  }

  /** Clears the cache after a change. */
  forget(): void {
    this.cache = new Map();
  }

  /** Notes that answers hold the changes up to this position of the tenant. */
  reached(tenantId: TenantId, position: number): void {
    if (!isUserCaller(this.caller))
      this.positions.set(tenantId, Math.max(position, this.positions.get(tenantId) ?? 0));
  }

  /** Notes that a change of this position was stored, and clears the cache. */
  committed(tenantId: TenantId, position: number): void {
    this.hasCommitted = true;
    this.reached(tenantId, position);
    const known = knownPositions(this.db);
    known.set(tenantId, Math.max(position, known.get(tenantId) ?? 0));
    this.forget();
  }

  /**
   * Runs a change of a tenant in one transaction, under the lock of the tenant's log, and appends what it records; then
   * clears the cache. The tenant must be visible. Refused: NOT_FOUND if there is no such tenant, FORBIDDEN if the caller may
   * only read.
   */
  async transact<Result extends object>(
    tenantId: TenantId,
    work: (tx: WriteContext) => Promise<Result>,
  ): Promise<Result & Positioned> {
    // An end user's own tenant is hidden from it.
    if (endUser(this)) throw refuse.notFound(tenantId);
    if (!mayChange(this)) throw refuse.forbidden();
    try {
      const actor = actorOf(this.caller);
      const changed = await change(this.db, { tenantId, actor, signal: this.signal }, work);
      if (!changed) throw refuse.notFound(tenantId);
      this.committed(tenantId, changed.position);
      return changed;
    } finally {
      this.forget();
    }
  }
}

const pastDirectories = () => new Map<string, Directory>();

/** Creates one value for each directory, e.g. a DataLoader; `create` is its cache key. */
export function perDirectory<Value>(
  create: (directory: Directory) => Value,
): (directory: Directory) => Value {
  return (directory) => directory.memo(create);
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

/**
 * For each tenant, the latest position that this process has stored or read: what is read from now on holds it. A log that
 * has lost it lowers it. That of a tenant that is not among the last 10,000 is read from its log.
 */
export const knownPositions = perDatabase(() => new LRUCache<TenantId, number>({ max: 10_000 }));

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

function rethrow(error: unknown): never {
  throw databaseError(error);
}

/** The tenants that a caller's statements may read: for an end user its own, in which queries filter group by group. */
function visibilityOf(caller: Caller): Visibility {
  return isUserCaller(caller) ? { kind: 'tenant', tenantId: caller.tenantId } : caller.visibility;
}

// What has changed in a tenant lately, read on from its log: caches of all requests are validated against it before use.

import { LRUCache } from 'lru-cache';
import { Prisma, type Sql } from '../../database/database.ts';
import { knownPositions, perDatabase, type Reader } from '../directory.ts';
import type { Head } from '../log/changes.ts';
import { sharedBatches } from './shared-batches.ts';

/** Rows of the log read at once. With more, the tail restarts at the head: reading again costs less than following. */
const MAX_ROWS = 5_000;
/** Positions and marks of one tail. Beyond, its older half is forgotten: what was not validated since then is read again. */
const MAX_LENGTH = 50_000;
/** Bytes of all tails of a database: more than those of a thousand tenants need that change all the time. */
const MAX_BYTES = 64_000_000;
/** Bytes of a position or a mark, and of an empty tail, as measured. */
const ITEM_BYTES = 120;
const TAIL_BYTES = 2_000;

export const isSameHead = (one: Head, other: Head) =>
  one.position === other.position && one.changeId === other.changeId;
export const earlier = (one: Head, other: Head) => (other.position < one.position ? other : one);
export const later = (one: Head, other: Head) => (other.position > one.position ? other : one);

/** The head of the reader's tenant, for a column of a statement: text, null without a tenant. */
export const headColumn = ({ tenantId }: Reader): Sql =>
  Prisma.sql`(select position || ' ' || change_id from tenant_logs where tenant_id = ${tenantId})`;

/** The head that `headColumn` selected. */
export function parseHead(text: string): Head {
  const [position, changeId] = text.split(' ');
  return { position: Number(position), changeId: changeId! };
}

/** Whether the log has the change of this head, as the last one or below later ones; for a column of a statement. */
export const holdsColumn = ({ tenantId }: Reader, head: Head | null): Sql => Prisma.sql`(
  exists (select from tenant_logs where tenant_id = ${tenantId} and position = ${head?.position ?? null}::bigint
    and change_id = ${head?.changeId ?? null}::uuid)
  or exists (select from changes where tenant_id = ${tenantId} and position = ${head?.position ?? null}::bigint
    and change_id = ${head?.changeId ?? null}::uuid))`;

type Mark = 'members' | 'nestings';

/**
 * The positions of one history of a tenant's log, from one on, and where the members and nestings of each group were last
 * changed. A history that was lost (a failover, the restore of a backup) and another in its place have different tails.
 */
export class Tail {
  /** The first position. What changed before is unknown. */
  #from: number;
  /** The id of the change of each position from `#from` on. Positions have no gaps. */
  readonly #changeIds: string[];
  /** For each kind of mark, the last position of each id. */
  readonly #marks: Record<Mark, Map<string, number>> = { members: new Map(), nestings: new Map() };
  /** For each kind of mark, the last position of any id. */
  readonly #last: Record<Mark, number> = { members: 0, nestings: 0 };

  constructor({ position, changeId }: Head) {
    this.#from = position;
    this.#changeIds = [changeId];
  }

  get head(): Head {
    return { position: this.#from + this.#changeIds.length - 1, changeId: this.#changeIds.at(-1)! };
  }

  /** Positions and marks. */
  get length(): number {
    const { members, nestings } = this.#marks;
    return this.#changeIds.length + members.size + nestings.size;
  }

  /** Whether a position is of this history, and not ahead of it. */
  holds({ position, changeId }: Head): boolean {
    return this.#changeIds[position - this.#from] === changeId;
  }

  /** Those of the groups whose members, or nested groups, have changed after the position. Ids are joined by commas. */
  changed(mark: Mark, groupIds: string, { position }: Head): string[] {
    // Asked first: the text of a large closure takes milliseconds to split.
    if (this.#last[mark] <= position) return [];
    const marks = this.#marks[mark];
    return groupIds.split(',').filter((id) => (marks.get(id) ?? 0) > position);
  }

  /** Appends the rows after the head, in the order of positions. */
  append(rows: readonly Row[]): void {
    const { position: last } = this.head;
    for (const { position, changeId, groupId, changesMembers, changesNestings } of rows) {
      if (position <= last) continue;
      if (position === this.head.position + 1) this.#changeIds.push(changeId);
      if (changesMembers) this.#mark('members', groupId!, position);
      if (changesNestings) this.#mark('nestings', groupId!, position);
    }
    while (this.length > MAX_LENGTH && this.#changeIds.length > 1) this.#forgetHalf();
  }

  #mark(mark: Mark, id: string, position: number): void {
    this.#marks[mark].set(id, position);
    this.#last[mark] = position;
  }

  #forgetHalf(): void {
    const forgotten = this.#changeIds.splice(0, Math.floor(this.#changeIds.length / 2));
    this.#from += forgotten.length;
    for (const marks of Object.values(this.#marks)) {
      for (const [id, position] of marks) if (position <= this.#from) marks.delete(id);
    }
  }
}

type Row = Head & {
  /** Null for changes of users. */
  groupId: string | null;
  changesMembers: boolean;
  changesNestings: boolean;
};
/** What is true of the whole log, with one of its rows; with nulls in its place if there are none. */
type LogRow = Row & {
  /** What changed is unknown. */
  changesAnything: boolean;
  head: string;
  /** Whether the log has the position from which it was asked for. */
  joins: boolean;
};

const tails = perDatabase(
  () =>
    new LRUCache<string, Tail>({
      maxSize: MAX_BYTES,
      sizeCalculation: ({ length }) => TAIL_BYTES + ITEM_BYTES * length,
    }),
);

/**
 * The tail of the reader's tenant, read on to the head that its log has now: one statement for all requests that ask at the
 * same time, each of which sees every change that was acknowledged before it asked. With a `known` head, which the request has
 * just read, a tail that holds it is returned without a statement. Null if there is no such tenant.
 */
export async function readTail(reader: Reader, known: Head | null = null): Promise<Tail | null> {
  if (known !== null) {
    const tail = lastTail(reader);
    if (tail?.holds(known)) return tail;
  }
  return readOn(reader).load('tail');
}

/** The tail as it was last read, perhaps behind the log; null if none was. */
export const lastTail = ({ db, tenantId }: Reader): Tail | null => tails(db).get(tenantId) ?? null;

/**
 * Notes a head that a statement has returned, and begins the tail there unless the tenant has one: what is cached at that head
 * can be validated later.
 */
export function noteHead(reader: Reader, head: Head): void {
  if (!lastTail(reader)) store(reader, new Tail(head));
  // A position that was known may have been lost; a standby's is not known on the primary.
  const known = knownPositions(reader.db);
  if (head.position < (known.get(reader.tenantId) ?? 0)) known.set(reader.tenantId, head.position);
}

const readOn = sharedBatches<'tail', Tail | null>(async (reader, requests) => {
  const tail = await readRows(reader);
  return requests.map(() => tail);
});

async function readRows(reader: Reader): Promise<Tail | null> {
  const { db, tenantId } = reader;
  const start = lastTail(reader)?.head ?? null;
  const rows = await reader.sql<LogRow>(Prisma.sql`
    select l.position || ' ' || l.change_id as head, ${holdsColumn(reader, start)} as joins, c.*
    from tenant_logs l left join lateral (
      select c.position::float8 as position, c.change_id as "changeId", c.group_id as "groupId",
        c.type in ('group_membership.added', 'group_membership.removed', 'group.deleted', 'group.restored') as "changesMembers",
        c.type in ('group_nesting.added', 'group_nesting.removed', 'group.deleted', 'group.restored') as "changesNestings",
        c.type = 'directory.repaired' as "changesAnything"
      from changes c where c.tenant_id = ${tenantId} and c.position > ${start?.position ?? null}::bigint
      order by c.position, c.ordinal limit ${MAX_ROWS + 1}::int) c on true
    where l.tenant_id = ${tenantId}`);
  const [first] = rows;
  if (!first) {
    tails(db).delete(tenantId);
    return null;
  }
  const head = parseHead(first.head);
  // Another request may have read on meanwhile, or restarted.
  const tail = lastTail(reader);
  if (tail && !(start && tail.holds(start))) {
    if (tail.holds(head)) return tail;
  } else if (tail && continues(tail, rows)) {
    if (first.position !== null) tail.append(rows);
    if (tail.holds(head)) return store(reader, tail);
  }
  return store(reader, new Tail(head));
}

/** Whether rows of the log, from a position of the tail on, are all there are and of the tail's history. */
function continues(tail: Tail, rows: readonly LogRow[]): boolean {
  const { head } = tail;
  return (
    rows[0]!.joins &&
    rows.length <= MAX_ROWS &&
    rows.every(
      (row) =>
        row.position === null || (!row.changesAnything && (row.position > head.position || tail.holds(row))),
    )
  );
}

/** Deletes the tail first: only so its new size counts. */
function store({ db, tenantId }: Reader, tail: Tail): Tail {
  // Also if a later one was known: it may have been lost.
  knownPositions(db).set(tenantId, tail.head.position);
  tails(db).delete(tenantId);
  tails(db).set(tenantId, tail);
  return tail;
}

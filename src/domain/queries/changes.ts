// The log of a tenant, and the histories of its groups and users, as pages of changes.
import { Prisma, type Sql } from '../../database/database.ts';
import { type ChangeType, type ChangeTypeName, storedTypes } from '../../model/changes.ts';
import { encodeCursor } from '../../model/cursors.ts';
import { refuse } from '../../model/errors.ts';
import { isIdOf } from '../../model/ids.ts';
import { type LogCursor, parseLogCursor, printLogCursor } from '../../model/log-cursors.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import { type Directory, Reader } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { list } from '../loading/list.ts';
import { type ChangeProjection, type ChangeRow, changeColumns, changeOrdering } from '../rows/changes.ts';

type Types = readonly ChangeTypeName[] | null | undefined;
type ListArgs = { types?: Types; projection?: ChangeProjection };
type SourceArgs = { types: ChangeType[] | null; projection: ChangeProjection };

/** Creates the pages and the count of a list of changes. Cursors are those of the log in every list. */
function changeList(
  descending: boolean,
  from: (reader: Reader, types: ChangeType[] | null) => Sql | readonly Sql[],
) {
  const order = changeOrdering(descending);
  const changes = list({
    // End users are told neither who administers their tenant, nor how much it changes.
    audience: 'administrators',
    columns: (reader, { projection }: SourceArgs) => changeColumns(reader, projection),
    toRow: toChangeRow,
    order: () => order,
    from: (reader, { types }: SourceArgs) => from(reader, types),
  });
  return {
    /**
     * A page; null for an end user. Refused with CURSOR_EXPIRED: a cursor that the log does not hold; with VALIDATION_FAILED:
     * invalid page arguments.
     */
    async page(
      directory: Directory,
      id: string,
      { types, projection = {}, page }: ListArgs & { page: PageArgs },
    ): Promise<Page<ChangeRow> | null> {
      const after = page.after == null ? null : parseLogCursor(page.after, 'after');
      const before = page.before == null ? null : parseLogCursor(page.before, 'before');
      const found = await changes.page(
        directory,
        id,
        { types: storedTypes(types), projection },
        {
          ...page,
          // In a newest-first list, what is after a cursor is earlier in the log.
          after: after && encodeCursor(order, keysOf(after, descending ? 'earlier' : 'later')),
          before: before && encodeCursor(order, keysOf(before, descending ? 'later' : 'earlier')),
        },
      );
      // Asked after the page: while the log still holds the cursor, the page was read from the same history.
      if (found)
        await Promise.all([page.after, page.before].map((cursor) => assertHeld(directory, id, cursor)));
      return found && withLogCursors(found);
    },
    /** How many changes there are; null for an end user. */
    count: (directory: Directory, id: string, { types }: { types?: Types }): Promise<number | null> =>
      changes.count(directory, id, { types: storedTypes(types), projection: {} }),
  };
}

/** Larger than any ordinal: a cursor of a whole position is behind all of its changes. */
const LAST_ORDINAL = 999_999_999;

/** The keys of a cursor's place, for what is later or earlier than it in the log. */
const keysOf = ({ position, ordinal }: LogCursor, side: 'later' | 'earlier'): string[] => [
  String(position),
  String(ordinal ?? (side === 'later' ? LAST_ORDINAL : 0)),
];

function withLogCursors({ rows, hasNextPage, hasPreviousPage, total }: Page<ChangeRow>): Page<ChangeRow> {
  return { rows, cursors: rows.map(printLogCursor), hasNextPage, hasPreviousPage, total };
}

/** The change of a raw row, whose `ordinal` is that of the list's parent. */
const toChangeRow = ({ place, ...row }: ChangeRow & { place: number }): ChangeRow => ({
  ...row,
  ordinal: place,
});

/** The log of a tenant. With types one part for each: a page reads no other types, however rare its own are. */
const log = changeList(false, ({ tenantId }, types) => {
  const ofTenant = Prisma.sql`from changes c where c.tenant_id = ${tenantId} and c.tenant_id = k.id`;
  if (types === null) return ofTenant;
  if (types.length === 0) return Prisma.sql`${ofTenant} and false`;
  return types.map((type) => Prisma.sql`${ofTenant} and c.type = ${type}`);
});

const ofTypes = (types: ChangeType[] | null): Sql =>
  types === null ? Prisma.empty : Prisma.sql` and c.type = any(${types}::text[])`;

/**
 * Changes of groups at the positions `e (group_id, position)` of edges. `offset 0`: each is looked up, however many the planner
 * expects; otherwise it would rather read the log in its order, until enough changes are found.
 */
const atEdges = ({ tenantId }: Reader, edges: Sql): Sql => Prisma.sql`from (${edges}) e(group_id, position)
  cross join lateral (
    select * from changes where tenant_id = ${tenantId} and group_id = e.group_id and position = e.position offset 0) c`;

/** Changes of the group, and those by which it was nested in other groups or is nested in them no more. */
const ofGroup = changeList(true, (reader, types) => {
  const { tenantId } = reader;
  return [
    Prisma.sql`from changes c where c.tenant_id = ${tenantId} and c.group_id = k.id${ofTypes(types)}`,
    Prisma.sql`${atEdges(
      reader,
      Prisma.sql`select parent_group_id, since from nestings where tenant_id = ${tenantId} and child_group_id = k.id
      union select parent_group_id, since from nesting_history where tenant_id = ${tenantId} and child_group_id = k.id
      union select parent_group_id, until from nesting_history where tenant_id = ${tenantId} and child_group_id = k.id`,
    )} where k.id = any(c.group_ids)${ofTypes(types)}`,
  ];
});

/**
 * Changes of the user and of its direct memberships. Those of an earlier person with the same id are left out: a user that is
 * created again after a removal is another one.
 */
const ofUser = changeList(true, (reader, types) => {
  const { tenantId } = reader;
  const since = Prisma.sql`(select since from users where tenant_id = ${tenantId} and id = k.id)`;
  const ofPerson = Prisma.sql`c.position >= ${since}${ofTypes(types)}`;
  return [
    Prisma.sql`${atEdges(
      reader,
      Prisma.sql`select group_id, since from memberships where tenant_id = ${tenantId} and user_id = k.id
      union select group_id, since from membership_history where tenant_id = ${tenantId} and user_id = k.id
      union select group_id, until from membership_history where tenant_id = ${tenantId} and user_id = k.id`,
    )} where k.id = any(c.user_ids) and ${ofPerson}`,
    // `offset 0`: without it the planner may read the log backward, in the hope of a match.
    Prisma.sql`from (
      select * from changes
      where tenant_id = ${tenantId} and group_id is null and user_ids @> array[k.id] offset 0) c where ${ofPerson}`,
  ];
});

/** Changes of a tenant in the order of its log. */
export const listChanges = log.page;
export const countChanges = log.count;
/** What happened to a group, newest first. */
export const listGroupHistory = ofGroup.page;
export const countGroupHistory = ofGroup.count;
/** What happened to a user, newest first. */
export const listUserHistory = ofUser.page;
export const countUserHistory = ofUser.count;

/** Refused with CURSOR_EXPIRED: a cursor that the log of the id's tenant does not hold. */
async function assertHeld(directory: Directory, id: string, cursor: string | null | undefined) {
  if (cursor != null && !(await isHeld(directory, { id, cursor }))) throw refuse.cursorExpired(cursor);
}

/**
 * Whether the log holds what follows a cursor. With a change id it must hold that change. A position alone must not be ahead of
 * the log, and the next one must be there; positions before the log of an older directory need not be.
 */
const isHeld = loader({
  audience: 'administrators',
  keyOf: ({ id, cursor }: { id: string; cursor: string }) => `${id} ${cursor}`,
  idOf: ({ id }) => id,
  read: async (reader, keys) => {
    const { tenantId } = reader;
    const cursors = keys.map(({ cursor }) => parseLogCursor(cursor, 'after'));
    // Asked of the primary: a standby may hold what it has lost.
    const { sql } = new Reader(reader.db, reader.visibility);
    const rows = await sql<{ isHeld: boolean }>(Prisma.sql`
      select case when k.change is null
        then k.position <= l.position and (k.position = l.position or k.position < l.exact_from or exists (
          select from changes where tenant_id = ${tenantId} and position = k.position + 1))
        else exists (
          select from changes where tenant_id = ${tenantId} and position = k.position
            and ordinal = coalesce(k.place, ordinal) and left(change_id::text, length(k.change)) = k.change)
        end as "isHeld"
      from unnest(${cursors.map(({ position }) => position)}::bigint[], ${cursors.map(({ ordinal }) => ordinal)}::int[],
        ${cursors.map(({ change }) => change)}::text[]) with ordinality k(position, place, change, ordinal)
      join tenant_logs l on l.tenant_id = ${tenantId} order by k.ordinal`);
    return keys.map((_, index) => rows[index]?.isHeld ?? false);
  },
});

/** A cursor behind everything that the log of the tenant holds now; null if the caller does not see the tenant. */
export const findHeadCursor = loader({
  audience: 'administrators',
  read: async (reader, ids: readonly string[]): Promise<(string | null)[]> => {
    const { tenantId } = reader;
    const { sql } = new Reader(reader.db, reader.visibility);
    // A head without a change, as before the first one, is a position alone: the change id is not kept once it is passed.
    const [head] = await sql<{ position: number; changeId: string; hasChange: boolean }>(Prisma.sql`
      select position::float8 as position, change_id as "changeId", exists (
        select from changes c where c.tenant_id = ${tenantId} and c.position = l.position) as "hasChange"
      from tenant_logs l where tenant_id = ${tenantId}`);
    return ids.map((id) => {
      if (!head || !isIdOf('tenant', id) || id !== tenantId) return null;
      return head.hasChange ? printLogCursor(head) : String(head.position);
    });
  },
});

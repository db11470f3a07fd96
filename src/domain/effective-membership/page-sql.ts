// The statement that reads a page of effective members from known closures, by one of two strategies.
import { Prisma, type Sql } from '../../database/database.ts';
import type { PageRequest } from '../../model/page.ts';
import type { Reader } from '../directory.ts';
import { cursorsOf, type Ordering, rowsToRead } from '../loading/keyset-page.ts';
import { memberUserColumns } from '../rows/members.ts';
import { headColumn } from '../sharing/tail.ts';
import type { NestingClosure } from './closure.ts';

/** The order of effective members. */
export const BY_USER: Ordering = {
  tag: 'user',
  descending: false,
  keys: [{ column: Prisma.sql`e.user_id`, type: 'text', alias: 'userId' }],
};

/**
 * `merge` reads a page from each group of the closure and merges them: the cost grows with the number of groups. `walk`
 * goes through the tenant's users in their order and probes the memberships of each: the cost grows with the users who are
 * no members.
 */
export type Strategy = 'merge' | 'walk';

/** Closures of more groups are read by `walk`: merging costs a probe for each group, and a walk soon meets enough members. */
export const MAX_MERGED_GROUPS = 100;

export type Groups = readonly (readonly [id: string, closure: Pick<NestingClosure, 'ids'>])[];

/** Users walked for each row of a page. If they do not fill the page, most users are no members, and merging is cheaper. */
const WALK = 40;
/** After every id: the last code point there is. */
const END = '\u{10FFFF}';

/**
 * Rows of one page for each group, with `parentIndex` (1-based) and the head of the log. A live group without members has one
 * row with null for the user; a group that is not visible has none.
 */
export function memberPageStatement(
  reader: Reader,
  strategy: Strategy,
  groups: Groups,
  page: PageRequest,
): Sql {
  const { tenantId, tables } = reader;
  const cursors = cursorsOf(BY_USER, page);
  const [after = ''] = cursors.after;
  const [before = END] = cursors.before;
  const direction = Prisma.raw(page.backward ? 'desc' : 'asc');
  // What is skipped has to be read, too.
  const size = rowsToRead(page) + page.offset;
  const users =
    strategy === 'merge'
      ? Prisma.sql`
          select distinct m.user_id from unnest(string_to_array(k.ids, ',')) i(id) cross join lateral (
            select user_id from ${tables.memberships} m
            where tenant_id = ${tenantId} and group_id = i.id and user_id > ${after} and user_id < ${before}
            order by user_id ${direction} limit ${size}) m
          order by m.user_id ${direction} limit ${size}`
      : Prisma.sql`
          select w.id as user_id from (
            select id from ${tables.users} u where tenant_id = ${tenantId} and until is null and id > ${after} and id < ${before}
            order by id ${direction} limit ${size * WALK}) w
          cross join lateral (
            select from (select group_id from ${tables.memberships} m where user_id = w.id and tenant_id = ${tenantId} offset 0) m
            where ((k.o, m.group_id) in (select o, id from reach)) is true limit 1) x
          order by w.id ${direction} limit ${size}`;
  return Prisma.sql`
    with k as materialized (
      select * from unnest(${groups.map(([id]) => id)}::text[], ${groups.map(([, { ids }]) => ids)}::text[])
        with ordinality k(id, ids, o)),
    reach as materialized (select k.o, i.id from k cross join unnest(string_to_array(k.ids, ',')) i(id))
    select k.o::int as "parentIndex", ${headColumn(reader)} as head, r.*
    from k join ${tables.groups} g on g.tenant_id = ${tenantId} and g.id = k.id and g.deleted_at is null
    left join lateral (
      select ${memberUserColumns}, d.added_at as "addedAt",
        case when d.user_id is null then 'INHERITED' else 'DIRECT' end as "membershipType"
      from (${users}) e join ${tables.users} u on u.tenant_id = ${tenantId} and u.id = e.user_id
      left join ${tables.memberships} d on d.tenant_id = ${tenantId} and d.group_id = k.id and d.user_id = e.user_id
      order by e.user_id ${direction} offset ${page.offset}::bigint) r on true`;
}

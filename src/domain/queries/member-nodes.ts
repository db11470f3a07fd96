// Single members: a user as a member of a group, and the nearest group through which it is one.
import { Prisma } from '../../database/database.ts';
import { MAX_DEPTH } from '../../model/groups.ts';
import type { GroupId, UserId } from '../../model/ids.ts';
import type { Directory } from '../directory.ts';
import { loader } from '../loading/batching.ts';
import { type MemberRow, memberUserColumns, type RawMember, toMemberRow } from '../rows/members.ts';
import { findGroup } from './groups.ts';
import { effectiveGroupIds } from './visible-groups.ts';

type Pair = { groupId: GroupId; userId: UserId };
const OF_PAIRS = {
  audience: 'self',
  keyOf: ({ groupId, userId }: Pair) => `${groupId} ${userId}`,
  subjectOf: ({ userId }: Pair) => userId,
  idOf: ({ groupId }: Pair) => groupId,
} as const;

const idsOf = (pairs: readonly Pair[]) => Prisma.sql`unnest(${pairs.map(({ groupId }) => groupId)}::text[],
  ${pairs.map(({ userId }) => userId)}::text[]) with ordinality`;

/** The user as a direct or inherited member of the group; null if it is none, or the caller sees one of them not. */
export const findMember = loader({
  ...OF_PAIRS,
  read: async (reader, pairs: readonly Pair[]): Promise<(MemberRow | null)[]> => {
    const { tenantId, tables } = reader;
    const rows = await reader.sql<RawMember & { ordinal: number }>(Prisma.sql`
      select k.ordinal::int as ordinal, ${memberUserColumns}, d.added_at as "addedAt",
        case when d.user_id is null then 'INHERITED' else 'DIRECT' end as "membershipType"
      from ${idsOf(pairs)} k(group_id, id, ordinal)
      join ${tables.users} u on u.tenant_id = ${tenantId} and u.id = k.id and u.until is null
      left join ${tables.memberships} d on d.tenant_id = ${tenantId} and d.group_id = k.group_id and d.user_id = k.id
      where d.user_id is not null or exists (select from ${effectiveGroupIds(reader)} e where e.id = k.group_id)`);
    const found = new Map(rows.map((row) => [row.ordinal, row]));
    return pairs.map(({ groupId }, index) => {
      const row = found.get(index + 1);
      return row ? toMemberRow(row, groupId) : null;
    });
  },
});

/**
 * The groups nearest below each group of which the user is a direct member, by the number of nestings between them, then by id.
 * A group on paths of several lengths is walked once for each length: at most 32 times.
 */
const nearestGroups = loader({
  ...OF_PAIRS,
  read: async ({ sql, tenantId, tables }, pairs: readonly Pair[]): Promise<(GroupId | null)[]> => {
    const groupIds = [...new Set(pairs.map(({ groupId }) => groupId))];
    const rows = await sql<{ ordinal: number; groupId: GroupId }>(Prisma.sql`
      with recursive down(top, id, depth) as (
        select g.id, g.id collate "C", 0 from unnest(${groupIds}::text[]) g(id)
        union
        select down.top, n.child_group_id, down.depth + 1 from down join ${tables.nestings} n
          on n.tenant_id = ${tenantId} and n.parent_group_id = down.id where down.depth < ${MAX_DEPTH})
      select distinct on (k.ordinal) k.ordinal::int as ordinal, down.id as "groupId"
      from ${idsOf(pairs)} k(group_id, user_id, ordinal)
      join ${tables.memberships} m on m.tenant_id = ${tenantId} and m.user_id = k.user_id
      join down on down.top = k.group_id and down.id = m.group_id and down.depth > 0
      order by k.ordinal, down.depth, down.id`);
    const found = new Map(rows.map(({ ordinal, groupId }) => [ordinal, groupId]));
    return pairs.map((_, index) => found.get(index + 1) ?? null);
  },
});

/** A nearest group through which a user inherits its membership; null for a direct member. */
export async function inheritedThrough(directory: Directory, { groupId, userId, membershipType }: MemberRow) {
  if (membershipType === 'DIRECT') return null;
  return findGroup(directory, await nearestGroups(directory, { groupId, userId }));
}

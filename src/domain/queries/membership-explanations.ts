// Why a user is an effective member of a group: the paths that lead to it; and why it is none any more: what ended the last one.
import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { isIdOf, type TenantId } from '../../model/ids.ts';
import type { MembershipType } from '../../model/members.ts';
import { type Directory, endUser } from '../directory.ts';
import {
  countPaths,
  type Interval,
  type LostEdge,
  lastLostEdge,
  type PastGraph,
  type Path,
  type PathGraph,
  type PathNode,
  shortestPaths,
} from '../effective-membership/paths.ts';
import { loader } from '../loading/batching.ts';
import type { EndCause } from '../log/changes.ts';
import { tablesAt } from '../log/tables.ts';
import { type Group, groupColumns, redact } from '../rows/groups.ts';
import { findGroup } from './groups.ts';
import { effectiveGroupIds } from './visible-groups.ts';

export const DEFAULT_PATHS = 10;
export const MAX_PATHS = 100;

/** A step of a path: the group, and since when the user, or the group of the step before, is in it. */
export type PathStep = { groupId: string; since: number; sinceAt: Date; addedBy: string };

/** The last change that ended an effective membership. `groupId`: the group that the user or the nested group was in, or that
 * was deleted; `nestedGroupId`: the group whose nesting ended; null for a membership. */
export type LostMembership = {
  tenantId: TenantId;
  position: number;
  at: Date;
  by: string;
  cause: EndCause;
  groupId: string;
  nestedGroupId: string | null;
};

export type MembershipExplanation = {
  groupId: string;
  userId: string;
  isMember: boolean;
  membershipType: MembershipType | null;
  /** The number of all paths. */
  pathCount: bigint;
  paths: readonly Path[];
};

export type { Path };

type Pair = { groupId: string; userId: string };

/**
 * The groups above each user: all of its effective groups, with its memberships and the nestings among them. One row a group: a
 * hostile graph has tens of thousands of nestings.
 */
const pathGraphs = loader({
  audience: 'self',
  read: async (reader, userIds: readonly string[]): Promise<PathGraph[]> => {
    const { tenantId } = reader;
    const rows = await reader.sql<{
      ordinal: number;
      id: string;
      memberSince: number | null;
      parents: string | null;
    }>(Prisma.sql`
      select k.ordinal::int as ordinal, e.id, m.since::float8 as "memberSince", p.parents
      from unnest(${userIds}::text[]) with ordinality k(id, ordinal) cross join lateral ${effectiveGroupIds(reader)} e
      left join ${reader.tables.memberships} m on m.tenant_id = ${tenantId} and m.group_id = e.id and m.user_id = k.id
      left join lateral (
        select string_agg(parent_group_id || ' ' || since, ',') as parents from ${reader.tables.nestings} n
        where tenant_id = ${tenantId} and child_group_id = e.id) p on true order by e.id`);
    const graphs = userIds.map(
      () => new Map<string, PathNode & { children: PathNode['children'][number][] }>(),
    );
    for (const { ordinal, id, memberSince } of rows)
      graphs[ordinal - 1]!.set(id, { memberSince, children: [] });
    for (const { ordinal, id, parents } of rows)
      for (const [parent, since] of split(parents))
        graphs[ordinal - 1]!.get(parent!)!.children.push({ id, since: Number(since) });
    return graphs;
  },
});

/** The parts of each item of a list that `string_agg` made. Ids contain neither commas nor spaces. */
const split = (text: string | null): string[][] => text?.split(',').map((item) => item.split(' ')) ?? [];

/**
 * Explains whether the user is an effective member; a user and a group that the caller does not see are like any others that have
 * nothing to do with each other. Null if an end user asks about another user. Refused with VALIDATION_FAILED: a number of paths
 * that is not from 1 to `MAX_PATHS`.
 */
export async function explainMembership(
  directory: Directory,
  { groupId, userId, maxPaths }: Pair & { maxPaths?: number | null | undefined },
): Promise<MembershipExplanation | null> {
  const limit = maxPaths ?? DEFAULT_PATHS;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PATHS)
    throw refuse.validation([{ path: ['maxPaths'], message: `must be between 1 and ${MAX_PATHS}` }]);
  const areIds = isIdOf('group', groupId) && isIdOf('user', userId);
  const graph = areIds ? await pathGraphs(directory, userId) : new Map<string, PathNode>();
  if (!graph) return null;
  const top = graph.get(groupId);
  return {
    groupId,
    userId,
    isMember: top !== undefined,
    membershipType: top ? (top.memberSince === null ? 'INHERITED' : 'DIRECT') : null,
    pathCount: countPaths(graph, groupId),
    paths: shortestPaths(graph, groupId, limit),
  };
}

/** A membership of the user (`child` null) or a nesting of `child` in the group, which began at the position. */
type Edge = Pair & { child: string | null; since: number };

/**
 * Edges are found by the positions at which they began, whether they have ended since or not: what is told of a path is of the
 * state that the path was read from.
 */
const edgeDetails = loader({
  audience: 'self',
  keyOf: ({ groupId, userId, child, since }: Edge) => `${groupId} ${userId} ${child} ${since}`,
  subjectOf: ({ userId }) => userId,
  idOf: ({ groupId }) => groupId,
  read: async ({ sql, tenantId }, edges: readonly Edge[]) => {
    const rows = await sql<{ ordinal: number; sinceAt: Date; addedBy: string }>(Prisma.sql`
      with k as materialized (
        select * from unnest(${edges.map(({ groupId }) => groupId)}::text[], ${edges.map(({ userId }) => userId)}::text[],
          ${edges.map(({ child }) => child)}::text[], ${edges.map(({ since }) => since)}::bigint[])
          with ordinality k(group_id, user_id, child, since, ordinal))
      select k.ordinal::int as ordinal, e.at as "sinceAt", e.by as "addedBy" from k cross join lateral (
        select added_at as at, added_by as by from memberships where tenant_id = ${tenantId} and group_id = k.group_id
          and user_id = k.user_id and since = k.since and k.child is null
        union all
        select added_at, added_by from membership_history where tenant_id = ${tenantId} and group_id = k.group_id
          and user_id = k.user_id and since = k.since and k.child is null
        union all
        select created_at, created_by from nestings where tenant_id = ${tenantId} and parent_group_id = k.group_id
          and child_group_id = k.child and since = k.since
        union all
        select created_at, created_by from nesting_history where tenant_id = ${tenantId} and parent_group_id = k.group_id
          and child_group_id = k.child and since = k.since) e`);
    const found = new Map(rows.map(({ ordinal, ...details }) => [ordinal, details]));
    return edges.map((_, index) => found.get(index + 1) ?? null);
  },
});

/** The steps of a path with the times and authors of its edges. Empty if history does not hold one of them any more. */
export async function pathSteps(directory: Directory, userId: string, path: Path): Promise<PathStep[]> {
  const steps = await Promise.all(
    path.map(async ({ groupId, since }, index) => {
      const child = path[index - 1]?.groupId ?? null;
      const details = await edgeDetails(directory, { groupId, userId, child, since });
      return details && { groupId, since, ...details };
    }),
  );
  return steps.every((step) => step !== null) ? steps : [];
}

/**
 * All memberships that each user ever had, and all nestings that there ever were above them. Memberships of an earlier person
 * with the same id are left out. `union` ends the walk, though over all times nestings may go in circles.
 */
const pastGraphs = loader({
  audience: 'self',
  read: async ({ sql, tenantId, asOf }, userIds: readonly string[]): Promise<PastGraph[]> => {
    // What began later is left out, and what ended later had not ended.
    const last = Prisma.sql`${asOf ?? Number.MAX_SAFE_INTEGER}::bigint`;
    const end = Prisma.sql`case when until <= ${last} then until end`;
    const rows = await sql<{
      ordinal: number;
      id: string;
      memberships: string | null;
      parents: string | null;
    }>(Prisma.sql`
    select k.ordinal::int as ordinal, r.* from unnest(${userIds}::text[]) with ordinality k(id, ordinal) cross join lateral (
      with recursive own as materialized (
        select group_id, since, null::bigint as until from memberships
        where tenant_id = ${tenantId} and user_id = k.id and since <= ${last}
        union all
        select group_id, since, ${end} from membership_history
        where tenant_id = ${tenantId} and user_id = k.id and since <= ${last} and since >= (
          select max(since) from (
            select since from users where tenant_id = ${tenantId} and id = k.id and since <= ${last}
            union all
            select created_since from user_history where tenant_id = ${tenantId} and id = k.id and since <= ${last}) u)),
      up(id) as (
        select group_id from own
        union
        select n.parent_group_id from up cross join lateral (
          select parent_group_id from nestings where tenant_id = ${tenantId} and child_group_id = up.id and since <= ${last}
          union all
          select parent_group_id from nesting_history
          where tenant_id = ${tenantId} and child_group_id = up.id and since <= ${last} offset 0) n)
      select up.id, o.memberships, p.parents from up
      left join lateral (
        select string_agg(since || ' ' || coalesce(until::text, ''), ',') as memberships from own
        where group_id = up.id) o on true
      left join lateral (
        select string_agg(n.id || ' ' || n.since || ' ' || coalesce(n.until::text, ''), ',') as parents from (
          select parent_group_id as id, since, null::bigint as until from nestings
          where tenant_id = ${tenantId} and child_group_id = up.id and since <= ${last}
          union all
          select parent_group_id, since, ${end} from nesting_history
          where tenant_id = ${tenantId} and child_group_id = up.id and since <= ${last}) n) p on true) r`);
    const graphs = userIds.map(() => ({
      memberships: new Map<string, Interval[]>(),
      parents: new Map<string, (Interval & { id: string })[]>(),
    }));
    const intervalOf = (since = '', until = ''): Interval => {
      return { since: Number(since), until: until === '' ? Number.POSITIVE_INFINITY : Number(until) };
    };
    for (const { ordinal, id, memberships, parents } of rows) {
      const graph = graphs[ordinal - 1]!;
      const own = split(memberships).map(([since, until]) => intervalOf(since, until));
      if (own.length > 0) graph.memberships.set(id, own);
      const above = split(parents).map(([parent, since, until]) => ({
        id: parent!,
        ...intervalOf(since, until),
      }));
      graph.parents.set(id, above);
    }
    return graphs;
  },
});

/**
 * The change that last took the effective membership away; null if there never was one, and for users and groups that the caller
 * does not see. Null if an end user asks about another user.
 */
export async function lastLostMembership(directory: Directory, pair: Pair): Promise<LostMembership | null> {
  if (!isIdOf('group', pair.groupId) || !isIdOf('user', pair.userId)) return null;
  const graph = await pastGraphs(directory, pair.userId);
  const edge = graph && lastLostEdge(graph, pair.groupId);
  return edge && lostEdgeDetails(directory, { ...edge, userId: pair.userId });
}

/** A group as it was before the change that took a membership away; null unless the caller sees it, an end user also now. */
export async function groupBefore(
  directory: Directory,
  { tenantId, position }: LostMembership,
  groupId: string,
) {
  if (endUser(directory) && !(await findGroup(directory, groupId))) return null;
  const row = await groupsAt(directory, { groupId, position: position - 1 });
  return (
    row && { row: endUser(directory) ? redact(row) : row, directory: directory.at(tenantId, position - 1) }
  );
}

/** Groups as they were, each at a position of its own: lost memberships are read in one statement, whenever they were lost. */
const groupsAt = loader({
  audience: 'anyone',
  keyOf: ({ groupId, position }: { groupId: string; position: number }) => `${groupId} ${position}`,
  idOf: ({ groupId }) => groupId,
  read: async ({ sql, tenantId }, keys) => {
    const rows = await sql<Group & { ordinal: number }>(Prisma.sql`
      select k.ordinal::int as ordinal, ${groupColumns}
      from unnest(${keys.map(({ groupId }) => groupId)}::text[], ${keys.map(({ position }) => position)}::bigint[])
        with ordinality k(id, position, ordinal)
      cross join lateral (
        select * from ${tablesAt(tenantId, Prisma.sql`k.position`).groups} v where v.id = k.id offset 0) g`);
    const found = new Map<number, Group>(rows.map(({ ordinal, ...row }) => [ordinal, row]));
    return keys.map((_, index) => found.get(index + 1) ?? null);
  },
});

const lostEdgeDetails = loader({
  audience: 'self',
  keyOf: ({ groupId, userId, child, since }: LostEdge & Pair) => `${groupId} ${userId} ${child} ${since}`,
  subjectOf: ({ userId }) => userId,
  idOf: ({ groupId }) => groupId,
  read: async ({ sql, tenantId }, edges: readonly (LostEdge & Pair)[]) => {
    const rows = await sql<LostMembership & { ordinal: number }>(Prisma.sql`
      with k as materialized (
        select * from unnest(${edges.map(({ groupId }) => groupId)}::text[], ${edges.map(({ userId }) => userId)}::text[],
          ${edges.map(({ child }) => child)}::text[], ${edges.map(({ since }) => since)}::bigint[])
          with ordinality k(group_id, user_id, child, since, ordinal))
      select k.ordinal::int as ordinal, e.until::float8 as position, e.ended_at as at, e.ended_by as by, e.cause,
        ${tenantId} as "tenantId", case when d.is_child then k.child else k.group_id end as "groupId",
        case when not d.is_child then k.child end as "nestedGroupId"
      from k cross join lateral (
        select until, ended_at, ended_by, cause from membership_history where tenant_id = ${tenantId}
          and group_id = k.group_id and user_id = k.user_id and since = k.since and k.child is null
        union all
        select until, ended_at, ended_by, cause from nesting_history where tenant_id = ${tenantId}
          and parent_group_id = k.group_id and child_group_id = k.child and since = k.since) e
      cross join lateral (select exists (
        select from changes c where c.tenant_id = ${tenantId} and c.position = e.until and c.type = 'group.deleted'
          and c.group_id = k.child) as is_child) d`);
    const found = new Map(rows.map(({ ordinal, ...lost }) => [ordinal, lost]));
    return edges.map((_, index) => found.get(index + 1) ?? null);
  },
});

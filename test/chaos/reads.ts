// What is read after a change, and the whole answer that the model wants for it.
import { isDeepStrictEqual } from 'node:util';
import { askUntilAnswered, type Gateway } from './gateway.ts';
import { effectiveMembersOf, groupsAbove, type Region, type State } from './region.ts';
import { pick, type Random } from './settings.ts';
import { countError, countWrong, type Tally } from './tally.ts';

/** A selection on the group, and what it answers. Each alone is a query; all together are another. */
type Shape = {
  selection: string;
  wanted(region: Region, groupId: string, userId: string): Record<string, unknown>;
};

/** Members of a short page: fewer than most groups have. */
const SHORT = 7;

const emailOf = (region: Region, id: string) => region.users.find((user) => user.id === id)!.email;
const connection = (nodes: object[]) => ({
  totalCount: nodes.length,
  edges: nodes.map((node) => ({ node })),
});

const SHAPES: Record<string, Shape> = {
  counts: {
    selection: 'effectiveMemberCount hasEffectiveMember(userId: $userId)',
    wanted({ state }, groupId, userId) {
      const all = effectiveMembersOf(state, groupId);
      return { effectiveMemberCount: all.length, hasEffectiveMember: all.includes(userId) };
    },
  },
  page: {
    selection: `effectiveMembers(first: 100) {
      totalCount edges { node { userId displayName membershipType } }
    }`,
    wanted({ state }, groupId) {
      const direct = state.members.get(groupId)!;
      const nodes = effectiveMembersOf(state, groupId).map((userId) => ({
        userId,
        displayName: state.names.get(userId),
        membershipType: direct.has(userId) ? 'DIRECT' : 'INHERITED',
      }));
      return { effectiveMembers: connection(nodes) };
    },
  },
  start: {
    selection: `start: effectiveMembers(first: ${SHORT}) {
      edges { node { userId email } } pageInfo { hasNextPage }
    }`,
    wanted(region, groupId) {
      const all = effectiveMembersOf(region.state, groupId);
      const edges = all
        .slice(0, SHORT)
        .map((userId) => ({ node: { userId, email: emailOf(region, userId) } }));
      return { start: { edges, pageInfo: { hasNextPage: all.length > SHORT } } };
    },
  },
  members: {
    selection: 'memberCount members(first: 100) { totalCount edges { node { userId displayName } } }',
    wanted({ state }, groupId) {
      const ids = [...state.members.get(groupId)!].toSorted();
      const nodes = ids.map((userId) => ({ userId, displayName: state.names.get(userId) }));
      return { memberCount: ids.length, members: connection(nodes) };
    },
  },
  fields: {
    selection: `id name description nestedGroupCount
      nestedGroups(first: 100) { totalCount edges { node { id effectiveMemberCount } } }`,
    wanted({ state, groups }, groupId) {
      const { id, name } = groups.find((group) => group.id === groupId)!;
      const nodes = [...state.nested.get(groupId)!].toSorted().map((child) => ({
        id: child,
        effectiveMemberCount: effectiveMembersOf(state, child).length,
      }));
      const description = state.descriptions.get(groupId);
      return { id, name, description, nestedGroupCount: nodes.length, nestedGroups: connection(nodes) };
    },
  },
};

const USER =
  'user(id: $userId) { displayName effectiveGroups(first: 100) { totalCount edges { node { id } } } }';

function wantedOfUser({ state, groups }: Region, userId: string): Record<string, unknown> {
  const ids = groups.map(({ id }) => id).filter((id) => effectiveMembersOf(state, id).includes(userId));
  return { displayName: state.names.get(userId), effectiveGroups: connection(ids.map((id) => ({ id }))) };
}

const NAMES = Object.keys(SHAPES);

function queryOf(names: readonly string[], withUser: boolean): string {
  const group =
    names.length > 0
      ? `group(id: $groupId) { ${names.map((name) => SHAPES[name]!.selection).join(' ')} }`
      : '';
  // A variable that nothing uses is an error of GraphQL.
  const text = `${group} ${withUser ? USER : ''}`;
  const variables = ['groupId', 'userId'].filter((name) => text.includes(`$${name}`));
  return `query(${variables.map((name) => `$${name}: ID!`).join(', ')}) { ${text} }`;
}

/** Reads of the group and the user through the gateway and compares: all shapes, or those that are named. */
export async function check(
  gateway: Gateway,
  region: Region,
  tally: Tally,
  what: { groupId: string; userId: string; shapes?: readonly string[]; kind?: 'wrong' | 'lost' },
): Promise<boolean> {
  const { groupId, userId, shapes = [...NAMES, 'user'], kind = 'wrong' } = what;
  const names = shapes.filter((name) => name in SHAPES);
  const withUser = shapes.includes('user');
  const query = queryOf(names, withUser);
  const data = await askUntilAnswered(gateway, query, { groupId, userId }, (code) => countError(tally, code));
  const wanted: Fields = {
    ...(names.length > 0 && {
      group: Object.assign({}, ...names.map((name) => SHAPES[name]!.wanted(region, groupId, userId))),
    }),
    ...(withUser && { user: wantedOfUser(region, userId) }),
  };
  if (kind === 'wrong') tally.checks += 1;
  if (isDeepStrictEqual(data, wanted)) return true;
  const [got, want] = firstDifference(data, wanted);
  countWrong(tally, kind, `gateway ${gateway.name}, ${groupId}, ${userId}`, got, want);
  return false;
}

type Fields = Record<string, Record<string, unknown> | null>;

/** The first field of the group or user that differs; of a list what only one of the two has, so that samples stay short. */
function firstDifference(got: Fields, wanted: Fields): [unknown, unknown] {
  for (const [object, fields] of Object.entries(wanted))
    for (const [field, value] of Object.entries(fields ?? {})) {
      const answered = got[object]?.[field] ?? null;
      if (isDeepStrictEqual(answered, value)) continue;
      return [{ [field]: without(answered, value) }, { [field]: without(value, answered) }];
    }
  return [got, wanted];
}

/** The list without the items that the other has too. */
function without(list: unknown, other: unknown): unknown {
  type List = { totalCount?: number; edges: object[] };
  const edgesOf = (value: unknown) =>
    (value as List | null)?.edges?.map((edge) => JSON.stringify(edge)) ?? [];
  const common = new Set(edgesOf(other));
  if (common.size === 0) return list;
  return {
    ...(list as List),
    edges: (list as List).edges.filter((edge) => !common.has(JSON.stringify(edge))),
  };
}

/** Draws what to read after a change of this group or user: mostly what the change reaches, sometimes anything. */
export function drawRead(region: Region, random: Random, changed: { groupId?: string; userId?: string }) {
  const { groups, users } = region;
  const reached = changed.groupId ? groupsAbove(region, changed.groupId) : [];
  const groupId = reached.length > 0 && random(4) > 0 ? pick(random, reached) : pick(random, groups).id;
  const userId = changed.userId && random(4) > 0 ? changed.userId : pick(random, users).id;
  const one = { groupId, userId, shapes: [pick(random, [...NAMES, 'user'])] };
  return random(2) === 0 ? { groupId, userId } : one;
}

const FACTS = `query($groupIds: [ID!]!, $userIds: [ID!]!) {
  groups: nodes(ids: $groupIds) { ... on Group {
    id description
    members(first: 100) { edges { node { userId } } } nestedGroups(first: 100) { edges { node { id } } }
  } }
  users: nodes(ids: $userIds) { ... on User { id displayName } }
}`;

/** Reads these groups and users as they are stored, without anything derived from it. */
export async function readFacts(
  gateway: Gateway,
  tally: Tally,
  { groupIds, userIds }: { groupIds: string[]; userIds: string[] },
): Promise<State> {
  const data = await askUntilAnswered(gateway, FACTS, { groupIds, userIds }, (code) =>
    countError(tally, code),
  );
  type Edges<Node> = { edges: { node: Node }[] };
  type Group = {
    id: string;
    description: string;
    members: Edges<{ userId: string }>;
    nestedGroups: Edges<{ id: string }>;
  };
  const groups = data.groups as Group[];
  const users = data.users as { id: string; displayName: string }[];
  return {
    members: new Map(
      groups.map(({ id, members }) => [id, new Set(members.edges.map(({ node }) => node.userId))]),
    ),
    nested: new Map(
      groups.map(({ id, nestedGroups }) => [id, new Set(nestedGroups.edges.map(({ node }) => node.id))]),
    ),
    names: new Map(users.map(({ id, displayName }) => [id, displayName])),
    descriptions: new Map(groups.map(({ id, description }) => [id, description])),
  };
}

/** The same part of the model. */
export function factsOf(
  state: State,
  { groupIds, userIds }: { groupIds: string[]; userIds: string[] },
): State {
  const only = <T>(map: Map<string, T>, ids: string[]) => new Map(ids.map((id) => [id, map.get(id)!]));
  return {
    members: only(state.members, groupIds),
    nested: only(state.nested, groupIds),
    names: only(state.names, userIds),
    descriptions: only(state.descriptions, groupIds),
  };
}

/** Compares all groups of the region, each with another user. */
export async function checkAll(
  gateway: Gateway,
  region: Region,
  tally: Tally,
  { groupIds = region.groups.map(({ id }) => id), kind = 'wrong' as 'wrong' | 'lost' } = {},
): Promise<void> {
  for (const [at, groupId] of groupIds.entries()) {
    const { id: userId } = region.users[at % region.users.length]!;
    await check(gateway, region, tally, { groupId, userId, kind });
  }
}

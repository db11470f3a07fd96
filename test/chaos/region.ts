// A part of a tenant that one writer changes alone, and what must be read of it: the model that answers are compared with.
import { pick, type Random, sample } from './settings.ts';

export type State = {
  /** Direct members of each group. */
  members: Map<string, Set<string>>;
  /** Groups nested directly in each group. */
  nested: Map<string, Set<string>>;
  /** Display name of each user. */
  names: Map<string, string>;
  /** Description of each group. */
  descriptions: Map<string, string>;
};

export type Region = {
  tenantId: string;
  /** From the top level down: a group is only nested in groups of higher levels, so that nothing goes round. */
  groups: { id: string; name: string; level: number }[];
  users: { id: string; email: string }[];
  state: State;
};

/** Groups of each level: a change at the bottom reaches the one at the top on several ways. */
const LEVELS = [1, 2, 3, 4, 6];
const USERS = 40;

/** Regions of a new directory: ids and names sort alike, so that every order of a list is known. */
export function createRegions(tenants: number, regionsEach: number, random: Random): Region[] {
  return Array.from({ length: tenants * regionsEach }, (_, index) => {
    const tenant = Math.floor(index / regionsEach);
    const key = `T${tenant}R${index % regionsEach}`;
    const two = (number: number) => String(number).padStart(2, '0');
    const groups = LEVELS.flatMap((size, level) => Array.from({ length: size }, () => level)).map(
      (level, at) => ({
        id: `grp_chaos${key}G${two(at)}`,
        name: `${key} group ${two(at)}`,
        level,
      }),
    );
    const users = Array.from({ length: USERS }, (_, at) => ({
      id: `usr_chaos${key}U${two(at)}`,
      email: `user${two(at)}@${key.toLowerCase()}.example`,
    }));
    const region: Region = {
      tenantId: `tnt_chaos${tenant}`,
      groups,
      users,
      state: {
        members: new Map(
          groups.map(({ id }) => [id, new Set(sample(random, users, 4).map((user) => user.id))]),
        ),
        nested: new Map(groups.map(({ id }) => [id, new Set<string>()])),
        names: new Map(users.map(({ id }) => [id, `Name of ${id}`])),
        descriptions: new Map(groups.map(({ id }) => [id, 'As imported'])),
      },
    };
    for (const child of groups.filter(({ level }) => level > 0)) {
      const parents = groups.filter(({ level }) => level === child.level - 1);
      region.state.nested.get(pick(random, parents).id)!.add(child.id);
    }
    return region;
  });
}

/** The regions as an import file. */
export function importFileOf(regions: readonly Region[]): object {
  const tenantIds = [...new Set(regions.map(({ tenantId }) => tenantId))];
  return {
    partners: [{ id: 'prt_chaos', name: 'Chaos' }],
    tenants: tenantIds.map((id) => ({
      id,
      partnerId: 'prt_chaos',
      name: id,
      slug: id.slice(4).toLowerCase(),
    })),
    users: regions.flatMap(({ tenantId, users, state }) =>
      users.map(({ id, email }) => ({ id, tenantId, email, displayName: state.names.get(id) })),
    ),
    groups: regions.flatMap(({ tenantId, groups, state }) =>
      groups.map(({ id, name }) => ({
        id,
        tenantId,
        name,
        description: state.descriptions.get(id),
        groupType: 'SECURITY',
        parentGroupId: null,
      })),
    ),
    memberships: regions.flatMap(({ state }) =>
      [...state.members].flatMap(([groupId, users]) => [...users].map((userId) => ({ groupId, userId }))),
    ),
    nestings: regions.flatMap(({ state }) =>
      [...state.nested].flatMap(([parentGroupId, children]) =>
        [...children].map((childGroupId) => ({ parentGroupId, childGroupId })),
      ),
    ),
  };
}

/** The group and all groups nested in it. */
export function closureOf({ nested }: State, groupId: string): Set<string> {
  const found = new Set([groupId]);
  for (const id of found) for (const child of nested.get(id)!) found.add(child);
  return found;
}

/** Ids of the effective members of the group, sorted. */
export function effectiveMembersOf(state: State, groupId: string): string[] {
  const all = [...closureOf(state, groupId)].flatMap((id) => [...state.members.get(id)!]);
  return [...new Set(all)].toSorted();
}

/** The groups that the group is nested in at any depth, and itself. */
export const groupsAbove = ({ groups, state }: Region, groupId: string): string[] =>
  groups.map(({ id }) => id).filter((id) => closureOf(state, id).has(groupId));

export const copyOf = (state: State): State => structuredClone(state);

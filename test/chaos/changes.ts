// The changes that a writer makes: drawn so that each changes something, as requests, and as done to the model.
import { effectiveMembersOf, type Region, type State } from './region.ts';
import { pick, type Random, sample } from './settings.ts';

export type Change =
  | { kind: 'add' | 'remove'; groupId: string; userIds: string[] }
  | { kind: 'nest' | 'unnest'; groupId: string; childGroupId: string }
  | { kind: 'rename'; userId: string; name: string }
  | { kind: 'describe'; groupId: string; description: string };

let made = 0;

/**
 * Draws a change that the rules allow and that is no repetition of what is so already. With `like`, it concerns the same
 * group or user as that one where it can.
 */
export function drawChange(region: Region, random: Random, like?: Change): Change {
  const { state, groups, users } = region;
  const kinds = [
    'add',
    'add',
    'add',
    'remove',
    'remove',
    'remove',
    'nest',
    'unnest',
    'rename',
    'describe',
  ] as const;
  const kind = like?.kind ?? pick(random, kinds);
  const groupId = like && 'groupId' in like ? like.groupId : pick(random, groups).id;
  const members = state.members.get(groupId)!;
  const others = users.map(({ id }) => id).filter((id) => !members.has(id));
  const add = (): Change => ({ kind: 'add', groupId, userIds: sample(random, others, 1 + random(3)) });
  const remove = (): Change => ({
    kind: 'remove',
    groupId,
    userIds: sample(random, [...members], 1 + random(3)),
  });
  switch (kind) {
    case 'add':
      return others.length > 30 || members.size < 8 ? add() : remove();
    case 'remove':
      return members.size > 0 ? remove() : add();
    case 'nest': {
      const { level } = groups.find(({ id }) => id === groupId)!;
      const below = groups.filter(
        (group) => group.level > level && !state.nested.get(groupId)!.has(group.id),
      );
      const few = state.nested.get(groupId)!.size < 4;
      return below.length > 0 && few ? { kind, groupId, childGroupId: pick(random, below).id } : add();
    }
    case 'unnest': {
      const nested = [...state.nested.get(groupId)!];
      return nested.length > 0 ? { kind, groupId, childGroupId: pick(random, nested) } : add();
    }
    case 'rename': {
      const userId = like?.kind === 'rename' ? like.userId : pick(random, users).id;
      return { kind, userId, name: `Name ${++made}` };
    }
    case 'describe':
      return { kind, groupId, description: `Description ${++made}` };
  }
}

/** Does the change to the model. */
export function apply(state: State, change: Change): void {
  switch (change.kind) {
    case 'add':
      for (const id of change.userIds) state.members.get(change.groupId)!.add(id);
      break;
    case 'remove':
      for (const id of change.userIds) state.members.get(change.groupId)!.delete(id);
      break;
    case 'nest':
      state.nested.get(change.groupId)!.add(change.childGroupId);
      break;
    case 'unnest':
      state.nested.get(change.groupId)!.delete(change.childGroupId);
      break;
    case 'rename':
      state.names.set(change.userId, change.name);
      break;
    case 'describe':
      state.descriptions.set(change.groupId, change.description);
  }
}

const COUNTS = 'group { memberCount effectiveMemberCount nestedGroupCount }';
const mutation = (name: string, selection: string, variables: object, payload: object) => {
  const type = name[0]!.toUpperCase() + name.slice(1);
  return {
    query: `mutation($input: ${type}Input!) {
      result: ${name}(input: $input) { ... on ${type}Payload { ${selection} } ... on Error { code message } }
    }`,
    variables: { input: variables },
    payload,
  };
};

/** The mutation, and the payload that it must have if the state was `before`. Ids in payloads are compared sorted. */
export function requestOf(region: Region, change: Change, after: State) {
  const countsOf = (groupId: string) => ({
    memberCount: after.members.get(groupId)!.size,
    effectiveMemberCount: effectiveMembersOf(after, groupId).length,
    nestedGroupCount: after.nested.get(groupId)!.size,
  });
  switch (change.kind) {
    case 'add':
    case 'remove': {
      const { groupId, userIds } = change;
      const [name, done] =
        change.kind === 'add' ? ['addGroupMembers', 'added'] : ['removeGroupMembers', 'removed'];
      const payload = { [done!]: userIds.toSorted(), unchanged: [], group: countsOf(groupId) };
      return mutation(name!, `${done} unchanged ${COUNTS}`, { groupId, userIds }, payload);
    }
    case 'nest': {
      const { groupId, childGroupId } = change;
      const payload = { added: [childGroupId], unchanged: [], group: countsOf(groupId) };
      const input = { groupId, childGroupIds: [childGroupId] };
      return mutation('addNestedGroups', `added unchanged ${COUNTS}`, input, payload);
    }
    case 'unnest': {
      const { groupId, childGroupId } = change;
      return mutation('removeNestedGroup', COUNTS, { groupId, childGroupId }, { group: countsOf(groupId) });
    }
    case 'rename': {
      const { email } = region.users.find(({ id }) => id === change.userId)!;
      const users = [{ id: change.userId, email, displayName: change.name }];
      const payload = { created: [], updated: [change.userId], users: [{ displayName: change.name }] };
      const input = { tenantId: region.tenantId, users };
      return mutation('upsertUsers', 'created updated users { displayName }', input, payload);
    }
    case 'describe': {
      const { groupId, description } = change;
      const payload = { group: { description, ...countsOf(groupId) } };
      const selection = COUNTS.replace('{', '{ description');
      return mutation('updateGroup', selection, { id: groupId, description }, payload);
    }
  }
}

/**
 * Changes that must be refused after they have locked or written rows. Rolled back, they leave no trace on disk: a server
 * that crashes gives the numbers of their transactions again.
 */
export function refusedRequests(region: Region, random: Random): { query: string; variables: object }[] {
  const { id: groupId, name } = region.groups[0]!;
  const child = pick(random, [...region.state.nested.get(groupId)!, groupId]);
  const newGroup = { tenantId: region.tenantId, name };
  return [
    mutation('createGroup', 'group { id }', newGroup, {}),
    mutation('addNestedGroups', 'added', { groupId: child, childGroupIds: [groupId] }, {}),
  ];
}

// What several changes do, in the form that an administrator approves, and the hash by which an application is the same.
import { createHash } from 'node:crypto';
import { Prisma } from '../../database/database.ts';
import type { RequestedChange } from '../../model/change-inputs.ts';
import type { DirectoryError } from '../../model/errors.ts';
import type { GroupId, UserId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Change } from '../log/changes.ts';
import type { WriteContext } from '../log/write-context.ts';
import { groupsWithIds } from '../rows/groups.ts';
import { readChangedMembers } from './changed-members.ts';
import type { NotRestored } from './restore-hierarchy.ts';
import type { Attempt } from './run-changes.ts';

/**
 * A group that changes. `key`: its id or, for one that a change creates, `created:` and the index of the change: ids of new
 * groups are random. `groupId` is null for a group that is created by a preview.
 */
export type ChangedGroup = { key: string; groupId: GroupId | null; createdBy: number | null; name: string };

/** Fields before and after, those alone that change. */
type Fields = { before: JsonObject; after: JsonObject };
export type UpdatedGroup = Fields & { group: ChangedGroup };
export type UpdatedUser = Fields & { userId: UserId };
/** A group that gets another parent; null for a root. */
export type MovedGroup = { group: ChangedGroup; from: ChangedGroup | null; to: ChangedGroup | null };

/** What one change does, or why it is refused. */
export type ChangeOutcome = {
  index: number;
  refusal: DirectoryError | null;
  createdGroups: ChangedGroup[];
  updatedGroups: UpdatedGroup[];
  movedGroups: MovedGroup[];
  deletedGroups: ChangedGroup[];
  restoredGroups: ChangedGroup[];
  notRestored: readonly NotRestored[];
  addedMembershipCount: number;
  removedMembershipCount: number;
  addedNestingCount: number;
  removedNestingCount: number;
  createdUserIds: string[];
  updatedUsers: UpdatedUser[];
  removedUserIds: string[];
  erasedUserIds: string[];
};

/** Users who become effective members, or cease to be: how many, and at most the first 100 ids. */
export type UserIdPage = { count: number; userIds: readonly UserId[] };
export type AffectedGroup = { group: ChangedGroup; joining: UserIdPage; leaving: UserIdPage };

export type ChangeEffects = {
  outcomes: ChangeOutcome[];
  /** The groups whose effective members change, by `key`. */
  affectedGroups: AffectedGroup[];
  /** Of all effects, also those beyond what is listed, and of the inputs; not of positions, times and random ids. */
  hash: string;
};

/** The effects of the changes, read at the end of their transaction. `isStored`: whether that is going to be committed. */
export async function readEffects(
  tx: WriteContext,
  changes: readonly RequestedChange[],
  attempts: readonly Attempt[],
  isStored: boolean,
): Promise<ChangeEffects> {
  const recorded = attempts.flatMap((attempt) => attempt.recorded);
  const differing = await readChangedMembers(tx, groupsWithChangedEdges(recorded));
  const names = await readNames(tx, [...mentionedGroups(recorded), ...differing.map((row) => row.groupId)]);
  const creators = new Map(
    attempts.flatMap((attempt, index) =>
      ofType(attempt.recorded, 'group.created').map(({ groupId }) => [groupId as string, index] as const),
    ),
  );
  const keyOf = (id: string) => {
    const index = creators.get(id);
    return index === undefined ? id : `created:${index}`;
  };
  const groupOf = (id: string): ChangedGroup => {
    const createdBy = creators.get(id) ?? null;
    const groupId = createdBy === null || isStored ? (id as GroupId) : null;
    return { key: keyOf(id), groupId, createdBy, name: names.get(id) ?? '' };
  };
  const rows = differing
    .map(({ groupId, ...row }) => ({ ...row, group: groupOf(groupId) }))
    .sort((one, other) => (one.group.key < other.group.key ? -1 : 1));
  const affectedGroups = [...Map.groupBy(rows, ({ group }) => group.key).values()].map((ofGroup) => {
    const page = (isJoining: boolean) =>
      ofGroup.find((row) => row.isJoining === isJoining) ?? { count: 0, userIds: [] };
    return { group: ofGroup[0]!.group, joining: page(true), leaving: page(false) };
  });
  const hash = hashOf([
    changes.map(({ kind, input }) => [kind, canonical(input, keyOf)]),
    attempts.map(({ refusal, recorded, notRestored }) => [
      refusal && [refusal.code, canonical(refusal.details, keyOf)],
      // In an order that does not depend on that of the rows of a statement.
      recorded.map((change) => JSON.stringify(canonical(shown(change), keyOf))).sort(),
      notRestored.map(({ kind, id }) => `${kind} ${id}`).sort(),
    ]),
    rows.map(({ group, isJoining, count, digest }) => [group.key, isJoining, count, digest]).sort(),
  ]);
  return {
    outcomes: attempts.map((attempt, index) => outcomeOf(attempt, index, groupOf)),
    affectedGroups,
    hash,
  };
}

function outcomeOf(
  { refusal, recorded, notRestored }: Attempt,
  index: number,
  groupOf: (id: string) => ChangedGroup,
): ChangeOutcome {
  const groups = (type: Change['type']) =>
    ofType(recorded, type).map(({ groupId }) => groupOf(groupId as string));
  const count = (ids: 'userIds' | 'groupIds', ...types: Change['type'][]) =>
    types
      .flatMap((type) => ofType(recorded, type))
      .reduce((sum, change) => sum + (change[ids]?.length ?? 0), 0);
  const users = (type: Change['type']) => ofType(recorded, type).flatMap(({ userIds = [] }) => userIds);
  const updates = ofType(recorded, 'group.updated').map((change) => ({
    group: groupOf(change.groupId as string),
    fields: changedFields(change.data as UpdateData),
  }));
  const parent = (id: unknown) => (typeof id === 'string' ? groupOf(id) : null);
  const upserted = ofType(recorded, 'users.upserted');
  return {
    index,
    refusal,
    createdGroups: groups('group.created'),
    updatedGroups: updates
      .map(({ group, fields }) => ({ group, before: own(fields.before), after: own(fields.after) }))
      .filter(({ after }) => Object.keys(after).length > 0),
    movedGroups: updates
      .filter(({ fields }) => 'parentGroupId' in fields.after)
      .map(({ group, fields: { before, after } }) => ({
        group,
        from: parent(before.parentGroupId),
        to: parent(after.parentGroupId),
      })),
    deletedGroups: groups('group.deleted'),
    restoredGroups: groups('group.restored'),
    notRestored,
    addedMembershipCount: count('userIds', 'group_membership.added', 'group.restored'),
    removedMembershipCount: count('userIds', 'group_membership.removed', 'group.deleted'),
    addedNestingCount: count('groupIds', 'group_nesting.added', 'group.restored'),
    removedNestingCount: count('groupIds', 'group_nesting.removed', 'group.deleted'),
    createdUserIds: upserted.filter(({ data }) => !data).flatMap(({ userIds = [] }) => userIds),
    updatedUsers: upserted
      .flatMap(({ data }) => (data as { users: (Fields & { id: UserId })[] } | undefined)?.users ?? [])
      .map(({ id, before, after }) => ({ userId: id, before, after })),
    removedUserIds: users('users.removed'),
    erasedUserIds: users('users.erased'),
  };
}

const ofType = (recorded: readonly Change[], type: Change['type']) =>
  recorded.filter((change) => change.type === type);

/** All but the parent, which is shown as a move. */
const own = ({ parentGroupId: _, ...fields }: JsonObject): JsonObject => fields;

type UpdateData = Fields & { changed: string[] };

function changedFields({ changed, before, after }: UpdateData): Fields {
  const only = (fields: JsonObject) =>
    Object.fromEntries(changed.map((field) => [field, fields[field] ?? null]));
  return { before: only(before), after: only(after) };
}

/** What an administrator approves of a change as it is recorded: ids in order, fields that change, and no random ids. */
function shown({ type, groupId, userIds = [], groupIds = [], cause, data }: Change): object {
  const { deletionId: _, ...details } = { ...data } as { deletionId?: string };
  return {
    ...{ type, groupId, cause, userIds: userIds.toSorted(), groupIds: groupIds.toSorted() },
    data: type === 'group.updated' ? changedFields(data as UpdateData) : details,
  };
}

/** Groups whose members or nested groups changed: those that the log marks for the caches. */
function groupsWithChangedEdges(recorded: readonly Change[]): GroupId[] {
  const changed = recorded.filter(({ userIds = [], groupIds = [] }) => userIds.length + groupIds.length > 0);
  return [...new Set(changed.flatMap(({ groupId }) => groupId ?? []))];
}

/** Groups that outcomes name. */
const mentionedGroups = (recorded: readonly Change[]): string[] =>
  recorded.flatMap(({ type, groupId, data }) => {
    if (groupId === undefined || !type.startsWith('group.')) return [];
    const { before, after } = { ...data } as Partial<Fields>;
    const parents = [before?.parentGroupId, after?.parentGroupId].filter((id) => typeof id === 'string');
    return [groupId, ...parents];
  });

async function readNames({ query, tenantId }: WriteContext, ids: readonly string[]) {
  if (ids.length === 0) return new Map<string, string>();
  const rows = await query<{ id: string; name: string }>(Prisma.sql`
    select g.id, g.name from ${groupsWithIds(tenantId, ids)}`);
  return new Map(rows.map(({ id, name }) => [id, name]));
}

const hashOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/** The same value for the same JSON: properties by name, and ids of created groups by their key. */
function canonical(value: unknown, keyOf: (text: string) => string): unknown {
  if (typeof value === 'string') return keyOf(value);
  if (Array.isArray(value)) return value.map((item) => canonical(item, keyOf));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(
    entries
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, item]) => [name, canonical(item, keyOf)]),
  );
}

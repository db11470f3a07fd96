// Directories stored at once, without going through the domain and so without events, with what they mean in plain data.

import { type Database, Prisma } from '../../src/database/database.ts';
import type { MemberRow } from '../../src/domain/rows/members.ts';
import { type GroupId, newId, type TenantId, type UserId } from '../../src/model/ids.ts';
import type { MembershipType } from '../../src/model/members.ts';

export type StoredUser = { id: UserId; email: string; displayName: string | null };
export type StoredGroup = {
  id: GroupId;
  name: string;
  parent: GroupId | null;
  members: readonly UserId[];
  /** Groups that are nested in it. */
  children: readonly GroupId[];
};

/** A group to store. */
export function groupOf(members: readonly UserId[] = [], children: readonly GroupId[] = []): StoredGroup {
  const id = newId('group');
  return { id, name: id, parent: null, members, children };
}

/** Users whose ids sort in the order given. */
export function usersOf(count: number): StoredUser[] {
  const ids = Array.from({ length: count }, () => newId('user')).sort();
  return ids.map((id, at) => ({
    id,
    email: `Person.${at}@${at % 3 === 0 ? 'one' : 'two'}.example`,
    displayName: at % 4 === 0 ? null : `Name ${at}`,
  }));
}

/** When a user was added to a group: another time for each membership. */
const addedAt = (group: number, member: number) =>
  new Date(Date.UTC(2026, 0, 1) + group * 1_000_000 + member);

export async function storeUsers(
  db: Database,
  tenantId: TenantId,
  users: readonly StoredUser[],
): Promise<void> {
  await db.sql(Prisma.sql`
    insert into users (id, tenant_id, email, display_name, search_key)
    select u.id, ${tenantId}, u.email, u.name, u.key
    from unnest(${users.map(({ id }) => id)}::text[], ${users.map(({ email }) => email)}::text[],
      ${users.map(({ displayName }) => displayName)}::text[], ${users.map(searchKeyOf)}::text[]) u(id, email, name, key)`);
}

export async function storeGroups(
  db: Database,
  tenantId: TenantId,
  groups: readonly StoredGroup[],
): Promise<void> {
  const memberships = groups.flatMap(({ id, members }, group) =>
    members.map((userId, member) => ({ id, userId, addedAt: addedAt(group, member).toISOString() })),
  );
  const nestings = groups.flatMap(({ id, children }) => children.map((child) => ({ id, child })));
  await db.sql(Prisma.sql`
    insert into groups (id, tenant_id, parent_group_id, name, name_key, search_key, member_count)
    select g.id, ${tenantId}, g.parent_id, g.name, lower(g.name), lower(g.name), g.members
    from unnest(${groups.map(({ id }) => id)}::text[], ${groups.map(({ parent }) => parent)}::text[],
      ${groups.map(({ name }) => name)}::text[],
      ${groups.map(({ members }) => members.length)}::int[]) g(id, parent_id, name, members)`);
  // In steps, each of which stays inside the statement's timeout.
  for (let at = 0; at < memberships.length; at += 2_000) {
    const some = memberships.slice(at, at + 2_000);
    await db.sql(Prisma.sql`
      insert into memberships (tenant_id, group_id, user_id, added_by, added_at)
      select ${tenantId}, m.group_id, m.user_id, 'test', m.added_at
      from unnest(${some.map(({ id }) => id)}::text[], ${some.map(({ userId }) => userId)}::text[],
        ${some.map((each) => each.addedAt)}::timestamptz[]) m(group_id, user_id, added_at)`);
  }
  await db.sql(Prisma.sql`
    insert into nestings (tenant_id, parent_group_id, child_group_id, created_by)
    select ${tenantId}, n.parent_id, n.child_id, 'test'
    from unnest(${nestings.map(({ id }) => id)}::text[], ${nestings.map(({ child }) => child)}::text[]) n(parent_id, child_id)`);
}

const searchKeyOf = ({ email, displayName }: StoredUser) =>
  `${email}${displayName === null ? '' : `\n${displayName}`}`.toLowerCase();

/** What was stored, asked without SQL. */
export class StoredDirectory {
  readonly tenantId: TenantId;
  readonly users: readonly StoredUser[];
  readonly groups: readonly StoredGroup[];
  private readonly byId: ReadonlyMap<string, StoredGroup>;
  private readonly known = new Map<string, MemberRow[]>();

  constructor(tenantId: TenantId, users: readonly StoredUser[], groups: readonly StoredGroup[]) {
    this.tenantId = tenantId;
    this.users = users;
    this.groups = groups;
    this.byId = new Map(groups.map((group) => [group.id, group]));
  }

  async store(db: Database): Promise<void> {
    await storeUsers(db, this.tenantId, this.users);
    await storeGroups(db, this.tenantId, this.groups);
  }

  /** The group and all that is nested in it, at any depth. */
  reached(groupId: string): Set<string> {
    const reached = new Set([groupId]);
    for (const id of reached) for (const child of this.byId.get(id)?.children ?? []) reached.add(child);
    return reached;
  }

  /** Effective members by user id, those alone that match. */
  members(groupId: string, search?: string | null, membershipType?: MembershipType | null): MemberRow[] {
    const words = search?.trim().toLowerCase().split(/\s+/) ?? [];
    return this.allMembers(groupId).filter(
      ({ email, displayName, membershipType: type }) =>
        words.every((word) => [email, displayName].some((text) => text?.toLowerCase().includes(word))) &&
        (!membershipType || membershipType === type),
    );
  }

  private allMembers(groupId: string): MemberRow[] {
    const known = this.known.get(groupId);
    if (known) return known;
    const members = new Set([...this.reached(groupId)].flatMap((id) => this.byId.get(id)?.members ?? []));
    const at = this.groups.findIndex(({ id }) => id === groupId);
    const rows = this.users
      .filter(({ id }) => members.has(id))
      .map((user): MemberRow => {
        const { id: userId, email, displayName } = user;
        const member = this.groups[at]!.members.indexOf(userId);
        return {
          groupId: groupId as GroupId,
          userId,
          email,
          displayName,
          membershipType: member === -1 ? 'INHERITED' : 'DIRECT',
          addedAt: member === -1 ? null : addedAt(at, member),
          user: { id: userId, tenantId: this.tenantId, email, displayName },
        };
      });
    this.known.set(groupId, rows);
    return rows;
  }

  /** Groups by name and id: those that hold the user directly, or all that it is an effective member of. */
  groupsOf(userId: string, { direct }: { direct: boolean }): StoredGroup[] {
    const held = this.groups.filter(({ id, members }) =>
      direct
        ? members.includes(userId as UserId)
        : this.members(id).some((member) => member.userId === userId),
    );
    const keyOf = ({ name, id }: StoredGroup) => `${name.toLowerCase()}\n${id}`;
    return held.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }
}

/**
 * Groups on six levels, each nesting some of lower ones, with some members each: diamonds of any kind, and empty groups.
 * Eight are filed under one, and names are the same under each, but for their case.
 */
export function randomGroups(
  users: readonly StoredUser[],
  count: number,
  random: (below: number) => number,
): StoredGroup[] {
  const levels = 6;
  const drafts = Array.from({ length: count }, () => groupOf());
  const some = <Item>(items: readonly Item[], most: number) =>
    items.length === 0
      ? []
      : [...new Set(Array.from({ length: random(most + 1) }, () => items[random(items.length)]!))];
  return drafts.map((draft, at) => ({
    ...draft,
    name: `${at % 3 === 0 ? 'GROUP' : 'Group'} ${at % 8}`,
    parent: at === 0 ? null : drafts[Math.floor((at - 1) / 8)]!.id,
    members: some(users, 4).map(({ id }) => id),
    children: some(
      drafts.filter((_, other) => other % levels > at % levels),
      3,
    ).map(({ id }) => id),
  }));
}

// One rich directory for tests of whole answers: every field of every type has a value of its own, and no two are alike.
import { type Database, Prisma } from '../../src/database/database.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { newId } from '../../src/model/ids.ts';
import { searchKey } from '../../src/model/text.ts';
import { createTenant, openAsAdmin } from './directories.ts';

/**
 * A tenant of its own, whose groups are filed as `Top / of` › `Mid\dle` › `Team` › `Alpha`, `beta`, and nested as `Outer A`,
 * `outer b` ⊃ `Team` ⊃ `Inner A`, `inner b` ⊃ `Deep`. Members of `Team` are users 0 and 2; 1 and 2 are in `Inner A`, 3 in
 * `Deep`, 4 nowhere. Orders by id, by email, and by time of being added all differ.
 */
export async function createRichDirectory(db: Database) {
  const { tenantId, partnerId, userIds: unsorted } = await createTenant(db, 5);
  const [u0, u1, u2, u3, u4] = unsorted.toSorted() as string[] as [string, string, string, string, string];
  const slug = `northwind-${tenantId.slice(4)}`;
  await db.sql(Prisma.sql`update tenants set name = 'Northwind', slug = ${slug} where id = ${tenantId}`);
  await db.sql(Prisma.sql`update partners set name = 'Meridian' where id = ${partnerId}`);
  const people = [
    { id: u0, email: 'Zoe@example.org', displayName: 'Zoe Ångström' },
    { id: u1, email: 'mona@example.org', displayName: 'Mona Adler' },
    { id: u2, email: 'adam@example.org', displayName: null },
    { id: u3, email: 'bo@example.org', displayName: 'Bo' },
    { id: u4, email: 'yara@example.org', displayName: 'Yara' },
  ] as const;
  for (const { id, email, displayName } of people) {
    await db.sql(Prisma.sql`
      update users set email = ${email}, display_name = ${displayName}, search_key = ${searchKey(email, displayName)}
      where id = ${id}`);
  }
  const directory = openAsAdmin(db, tenantId);
  const create = async (name: string, more: object = {}) =>
    (await createGroup(directory, { tenantId, name, ...more })).group.id;
  const top = await create('Top / of');
  const middle = await create('Mid\\dle', { parentGroupId: top });
  const team = await create('Team', {
    parentGroupId: middle,
    description: 'Builds the product',
    type: 'DISTRIBUTION',
    initialMemberIds: [u2],
    customAttributes: { cost: [1, { a: null }] },
  });
  await addGroupMembers(directory, { groupId: team, userIds: [u0] });
  const beta = await create('beta', { parentGroupId: team });
  const alpha = await create('Alpha', { parentGroupId: team });
  const outerB = await create('outer b');
  const outerA = await create('Outer A');
  const innerB = await create('inner b');
  const innerA = await create('Inner A', { initialMemberIds: [u1, u2] });
  const deep = await create('Deep', { initialMemberIds: [u3] });
  const nest = (groupId: string, ...childGroupIds: string[]) =>
    addNestedGroups(directory, { groupId, childGroupIds });
  await nest(outerA, team);
  await nest(outerB, team);
  await nest(team, innerB, innerA);
  await nest(innerB, deep);
  // Times that nothing else has, and an order of creation that is that of no name and of no id.
  const groups = { top, middle, team, beta, alpha, outerB, outerA, innerB, innerA, deep };
  const byAge = [team, deep, alpha, top, outerA, innerB, beta, outerB, middle, innerA];
  for (const [at, id] of byAge.entries()) {
    await db.sql(Prisma.sql`
      update groups set version = ${at + 3},
        created_at = ${createdAt(at)}::timestamptz, updated_at = ${updatedAt(at)}::timestamptz where id = ${id}`);
  }
  for (const [at, user] of [u2, u0].entries()) {
    await db.sql(Prisma.sql`
      update memberships set added_at = ${addedAt(at)}::timestamptz where group_id = ${team} and user_id = ${user}`);
  }
  return { tenantId, partnerId, slug, users: [u0, u1, u2, u3, u4] as const, people, groups, byAge };
}

export type RichDirectory = Awaited<ReturnType<typeof createRichDirectory>>;

/** Of the group at this place of `byAge`. */
export const createdAt = (at: number) => `2026-01-${String(at + 10)}T03:04:05.678Z`;
export const updatedAt = (at: number) => `2026-02-${String(at + 10)}T13:14:15.010Z`;
/** Of the member of `Team` that was added at this place: user 2 before user 0. */
export const addedAt = (at: number) => `2026-03-0${String(at + 1)}T00:00:00.500Z`;

/** An id of a group that was never issued. */
export const nothing = newId('group');

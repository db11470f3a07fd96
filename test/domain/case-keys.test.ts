// "Ignoring case": what differs only by case or normalisation is found and clashes; stored keys follow when the rules change.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refreshCaseKeys } from '../../src/database/case-keys.ts';
import { type Database, Prisma } from '../../src/database/database.ts';
import { openDatabase } from '../../src/database/open.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup, updateGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory, repairDirectory } from '../../src/domain/integrity/check.ts';
import { countGroups, listGroups } from '../../src/domain/queries/groups.ts';
import { countUsers } from '../../src/domain/queries/users.ts';
import { type GroupId, newId } from '../../src/model/ids.ts';
import { caseKey, searchKey, searchTerm } from '../../src/model/text.ts';
import { createTenant, openAsAdmin, plainUser, superAdmin } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { seed } from '../support/seed.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

const run = (statement: string) => db.sql<Record<string, unknown>>(Prisma.raw(statement) as never);

/** The title case of the digraphs that have one of their own. */
const TITLES: Record<string, string> = { Ǆ: 'ǅ', Ǉ: 'ǈ', Ǌ: 'ǋ', Ǳ: 'ǲ' };
const titled = (text: string) => {
  const [first = '', ...rest] = [...text];
  const upper = first.toUpperCase();
  return `${TITLES[upper] ?? upper}${rest.join('').toLowerCase()}`;
};
const WAYS: ((text: string) => string)[] = [
  (text) => text.toUpperCase(),
  (text) => text.toLowerCase(),
  titled,
  (text) => text.normalize('NFC'),
  (text) => text.normalize('NFD'),
  (text) => text.toUpperCase().normalize('NFD').toLowerCase(),
];

/** Characters whose case depends on their place, on a language, or changes their number; and any others. */
const character = fc.oneof(
  fc.constantFrom(...'ΣσςİıiIßẞŉǰΐΰΪÏǆǅǄﬁﬓſKÅΩθϑµΒβϐéẖჯᲯꭰᎠ𐐨𐐀가\u0301\u0307\u0308 -'),
  // U+0345 becomes a letter in upper case, and takes the marks that follow with it: only normalised text has a case.
  fc
    .string({ unit: 'binary', minLength: 1, maxLength: 1 })
    .filter((unit) => !/\p{Cc}|\p{Cs}|\u0345/u.test(unit)),
);
const word = fc
  .array(character, { minLength: 1, maxLength: 8 })
  .map((characters) => characters.join('').normalize('NFC'))
  .filter((text) => !text.normalize('NFD').includes('\u0345'));

test('texts that differ only by case or normalisation have one key, which is its own', () => {
  fc.assert(
    fc.property(word, (text) => {
      const key = caseKey(text);
      expect(WAYS.map((way) => caseKey(way(text)))).toEqual(WAYS.map(() => key));
      expect(caseKey(key)).toBe(key);
    }),
    { seed, numRuns: 3_000 },
  );
});

test('so have all characters by themselves, and beside letters', () => {
  const others: string[] = [];
  for (let code = 1; code < 0x1f000; code += 1) {
    const char = String.fromCodePoint(code);
    const alike = char.toUpperCase() === char.toLowerCase() && char.normalize('NFD') === char;
    if (alike || !char.isWellFormed()) continue;
    for (const text of [char, `aΑ${char}i`]) {
      const key = caseKey(text);
      if (WAYS.some((way) => caseKey(way(text)) !== key)) others.push(code.toString(16));
    }
  }
  expect(others).toEqual([]);
});

test('a text is found in what begins or goes on with it, in any case, and never across two parts', () => {
  fc.assert(
    fc.property(word, word, (text, more) => {
      // A mark or part of a letter would join the letter before it.
      fc.pre(!/^[\p{M}\p{Lo}]/u.test(more.normalize('NFD')) && text.trim() === text && more.trim() === more);
      for (const way of WAYS) expect(searchKey(`${text}${more}`)).toContain(searchTerm(way(text)));
      fc.pre(text !== '' && more !== '');
      expect(searchKey(text, more)).not.toContain(searchTerm(`${text}\n${more}`));
      expect(searchKey(`${text}\n${more}`)).toContain(searchTerm(`${text}\n${more}`));
    }),
    { seed, numRuns: 1_000 },
  );
});

test.each([
  ['ΟΔΟΣΤΡΩΤΗΡΑΣ', ['ΟΔΟΣ', 'οδος', 'Οδοσ']],
  ['Κώστας', ['ΚΏΣ', 'κώς', 'ΚΏΣΤΑΣ']],
  ['İbrahim', ['İBRAHİM', 'ibrahim', 'IBRAHIM', 'i̇brahim']],
  ['Ταΐζω', ['ΤΑΪ́ΖΩ', 'ταΐζω']],
  ['Straße', ['STRASSE', 'strasse', 'STRAẞE']],
  ['ırmak', ['IRMAK']],
])('%s is found, and taken, by %j', async (name, others) => {
  const { tenantId } = await createTenant(db);
  const directory = openAsAdmin(db, tenantId);
  await createGroup(directory, { tenantId, name, description: `Of ${name}` });
  await upsertUsers(openDirectory(db, superAdmin), {
    tenantId,
    users: [{ id: newId('user'), email: 'a@example.org', displayName: `Dr ${name}` }],
  });
  for (const search of others) {
    expect([search, await countGroups(directory, { filter: { search } })]).toEqual([search, 1]);
    expect([search, await countUsers(directory, { tenantId, search })]).toEqual([search, 1]);
    expect(await countGroups(directory, { filter: { search: `of ${search}` } })).toBe(1);
  }
  // A shorter text is found, but not the same.
  for (const other of others.filter((text) => caseKey(text) === caseKey(name))) {
    const taken = { code: 'NAME_TAKEN', details: { names: [name] } };
    await expect(createGroup(directory, { tenantId, name: ` ${other} ` })).rejects.toMatchObject(taken);
  }
});

test('a line break in a search stands for one in a description, and for no end of a name', async () => {
  const { tenantId } = await createTenant(db);
  const directory = openAsAdmin(db, tenantId);
  await createGroup(directory, { tenantId, name: 'Alpha', description: 'First\nsecond\r\nthird' });
  await upsertUsers(openDirectory(db, superAdmin), {
    tenantId,
    users: [{ id: newId('user'), email: 'a@example.org', displayName: 'Ann' }],
  });
  const found = (search: string) => countGroups(directory, { filter: { search } });
  expect([await found('first\nSecond'), await found('second\r\nthird')]).toEqual([1, 1]);
  expect([await found('alpha\nfirst'), await found('first second'), await found('second\nthird')]).toEqual([
    0, 0, 0,
  ]);
  expect(await countUsers(directory, { tenantId, search: 'org\nann' })).toBe(0);
  // What keys hold in place of a line break is no text.
  await expect(found('first\vsecond')).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
});

/** Rewrites the keys of a tenant as versions before wrote them. */
async function age(tenantId: string): Promise<void> {
  const groups = await run(`select id, name, description from groups where tenant_id = '${tenantId}'`);
  const old = (text: unknown) => String(text).normalize('NFC').toLowerCase();
  for (const { id, name, description } of groups) {
    const parts = [name, description].filter((part) => part !== null).map(old);
    await db.sql(
      Prisma.sql`update groups set name_key = ${old(name)}, search_key = ${parts.join('\n')} where id = ${id}`,
    );
  }
  const users = await run(`select id, email, display_name from users where tenant_id = '${tenantId}'`);
  for (const { id, email, display_name } of users) {
    await db.sql(
      Prisma.sql`update users set search_key = ${[email, display_name].map(old).join('\n')} where id = ${id}`,
    );
  }
  await run(`update tenants set stale_keys = true where id = '${tenantId}'`);
}

test('the longest keys are stored, sorted by and found again', async () => {
  const { tenantId } = await createTenant(db);
  const directory = openAsAdmin(db, tenantId);
  // Symbols that are three characters when composed, of four bytes each; letters of which two become one; and random ones.
  const any = (from: string[], index: number) => from[(index * index * 7 + index) % from.length]!;
  const notes = [
    '\u{1d15f}',
    '\u{1d160}',
    '\u{1d161}',
    '\u{1d162}',
    '\u{1d163}',
    '\u{1d164}',
    '\u{1d1bd}',
    '\u{1d1c0}',
  ];
  const ideographs = Array.from({ length: 997 }, (_, index) => String.fromCodePoint(0x20000 + index * 31));
  for (const from of [notes, ideographs, ['ﬃ', 'ᾂ', 'ΐ', 'ß']]) {
    const name = Array.from({ length: 255 }, (_, index) => any(from, index)).join('');
    await createGroup(directory, { tenantId, name: `${' '.repeat(200)}${name}` });
    expect(await countGroups(directory, { filter: { search: [...name].slice(0, 60).join('') } })).toBe(1);
  }
  const first = await listGroups(directory, { page: { first: 1 } });
  const rest = await listGroups(directory, { page: { first: 5, after: first.cursors[0]! } });
  expect([first.rows.length, rest.rows.length]).toEqual([1, 2]);
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

describe('keys of a version before', () => {
  /** Siblings that were not the same then, by the names that they get after keys were written. */
  async function aged() {
    const { tenantId } = await createTenant(db);
    const directory = openAsAdmin(db, tenantId);
    const ids: string[] = [];
    for (const [index, name] of ['ΟΔΟΣ', 'ΟΔΟΣ ', 'ix', 'İx', 'İb', 'Straße', 'Plain'].entries()) {
      const { group } = await createGroup(directory, { tenantId, name: `${index}`, description: 'a\nb' });
      await db.sql(Prisma.sql`update groups set name = ${name} where id = ${group.id}`);
      ids.push(group.id);
    }
    await upsertUsers(openDirectory(db, superAdmin), {
      tenantId,
      users: [{ id: newId('user'), email: 'a@example.org', displayName: 'ΟΔΟΣ' }],
    });
    await db.sql(Prisma.sql`update groups set name = 'Ταΐζω' where id = ${ids[1]}`);
    await age(tenantId);
    return { tenantId, directory, ids };
  }

  test('are rewritten when the database is opened; siblings that now clash stay, and are named', async () => {
    const { tenantId, directory, ids } = await aged();
    const [, , ix, dotted] = ids as [string, string, string, string];
    const warnings: string[] = [];
    const version = async () =>
      (await run(`select user_version::int as n from tenants where id = '${tenantId}'`))[0]!.n;
    const before = await version();
    const opened = await openDatabase({
      url: database.url,
      dataDir: '',
      warn: (text) => warnings.push(text),
    });
    await opened.close();
    const clash = `${[ix, dotted].sort().join(', ')} share a name under the root`;
    expect(warnings).toEqual([expect.stringContaining(clash)]);
    expect(await checkDirectory(db, tenantId)).toEqual([{ kind: 'sibling-names', message: clash }]);
    expect(await version()).toBe(Number(before) + 1);
    expect(await run(`select stale_keys from tenants where id = '${tenantId}'`)).toEqual([
      { stale_keys: false },
    ]);
    const found = (search: string) => countGroups(openAsAdmin(db, tenantId), { filter: { search } });
    expect(await Promise.all(['οδοσ', 'ΤΑΪ́', 'ib', 'ix', 'STRASSE', 'a\nb'].map(found))).toEqual([
      1, 1, 1, 2, 1, 7,
    ]);
    expect(await countUsers(directory, { tenantId, search: 'οδοσ' })).toBe(1);
    // What keeps the two apart is no part of a name: end users search names alone.
    const user = newId('user');
    await upsertUsers(openDirectory(db, superAdmin), {
      tenantId,
      users: [{ id: user, email: 'u@example.org' }],
    });
    for (const groupId of [ix, dotted])
      await addGroupMembers(directory, { groupId: groupId as GroupId, userIds: [user] });
    const own = openDirectory(db, plainUser(tenantId, user));
    const search = async (text: string) => countGroups(own, { filter: { search: text } });
    expect([await search('ix'), await search('g'), await search('grp_')]).toEqual([2, 0, 0]);
    // Clashing groups can be changed, and one of them renamed; the other then has its name to itself again.
    for (const id of [ix, dotted]) await updateGroup(directory, { id: id as never, description: 'changed' });
    expect(await checkDirectory(db, tenantId)).toEqual([{ kind: 'sibling-names', message: clash }]);
    expect(await repairDirectory(db)).toBe(0);
    for (const id of [ix, dotted].sort().slice(0, 1))
      await updateGroup(directory, { id: id as never, name: 'Other' });
    expect(await checkDirectory(db, tenantId)).toMatchObject([{ kind: 'derived-column' }]);
    expect(await repairDirectory(db)).toBe(1);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
    await expect(createGroup(directory, { tenantId, name: 'IX' })).rejects.toMatchObject({
      code: 'NAME_TAKEN',
    });
  });

  test('of siblings that were deleted together let them be restored together', async () => {
    const { tenantId } = await createTenant(db);
    const directory = openAsAdmin(db, tenantId);
    const create = async (name: string, parentGroupId: GroupId | null) =>
      (await createGroup(directory, { tenantId, name, parentGroupId })).group.id;
    const parent = await create('Parent', null);
    const children = [await create('1', parent), await create('2', parent)];
    for (const [index, name] of ['ix', 'İx'].entries())
      await db.sql(Prisma.sql`update groups set name = ${name} where id = ${children[index]}`);
    await deleteGroup(directory, { id: parent, strategy: 'CASCADE' });
    await age(tenantId);
    await refreshCaseKeys(db);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
    const { restoredGroupIds } = await restoreGroup(directory, { id: parent, includeDescendants: true });
    expect(restoredGroupIds.toSorted()).toEqual([parent, ...children].toSorted());
    expect(await checkDirectory(db, tenantId)).toMatchObject([{ kind: 'sibling-names' }]);
    // The next test looks for other clashes.
    await updateGroup(directory, { id: children[1]!, name: 'Other' });
    await repairDirectory(db);
  });

  test('are rewritten once, and by a repair too', async () => {
    const { tenantId } = await aged();
    expect((await checkDirectory(db, tenantId)).every(({ kind }) => kind === 'derived-column')).toBe(true);
    await repairDirectory(db);
    expect(await checkDirectory(db, tenantId)).toMatchObject([{ kind: 'sibling-names' }]);
    await run(`update tenants set stale_keys = false`);
    await age(tenantId);
    await refreshCaseKeys(db);
    await age(tenantId);
    await run(`update tenants set stale_keys = false`);
    expect(await refreshCaseKeys(db)).toEqual([]);
    expect(await checkDirectory(db, tenantId)).not.toEqual([]);
    await repairDirectory(db);
  });
});

test('a repair gives siblings the names that each other has the key of', async () => {
  const { tenantId } = await createTenant(db);
  const directory = openAsAdmin(db, tenantId);
  const create = async (name: string) => (await createGroup(directory, { tenantId, name })).group.id;
  const [a, b] = [await create('A'), await create('B')];
  await run(`update groups set name_key = 'x' where id = '${a}'`);
  await run(`update groups set name_key = 'a' where id = '${b}'`);
  await run(`update groups set name_key = 'b' where id = '${a}'`);
  expect(await repairDirectory(db)).toBe(2);
  expect(await checkDirectory(db, tenantId)).toEqual([]);
});

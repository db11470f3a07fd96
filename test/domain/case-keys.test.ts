// "Ignoring case": what differs only by case or normalisation is found and clashes; stored keys follow when the rules change.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KEY_RULES, refreshCaseKeys } from '../../src/database/case-keys.ts';
import { type Database, Prisma } from '../../src/database/database.ts';
import { type DatabaseOptions, openDatabase } from '../../src/database/open.ts';
import { addGroupMembers } from '../../src/domain/commands/add-members.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { restoreGroup } from '../../src/domain/commands/restore-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { upsertUsers } from '../../src/domain/commands/upsert-users.ts';
import { openDirectory } from '../../src/domain/directory.ts';
import { checkDirectory, repairDirectory } from '../../src/domain/integrity/check.ts';
import { countGroups, findGroup, listGroups } from '../../src/domain/queries/groups.ts';
import { countUsers } from '../../src/domain/queries/users.ts';
import { type GroupId, newId } from '../../src/model/ids.ts';
import { caseKey, nameKey, searchKey, searchTerms } from '../../src/model/text.ts';
import { createTenant, openAsAdmin, plainUser, superAdmin } from '../support/directories.ts';
import { holdGraph, positionOf } from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase, untilOneWaits } from '../support/postgresql.ts';
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
      for (const way of WAYS)
        for (const term of searchTerms(way(text))) expect(searchKey(`${text}${more}`)).toContain(term);
      fc.pre(!/\s/u.test(text + more) && searchTerms(text).length > 0 && searchTerms(more).length > 0);
      expect(searchKey(text, more)).not.toContain(searchTerms(`${text}${more}`)[0]);
      for (const term of searchTerms(`${more}\n${text}`)) expect(searchKey(text, more)).toContain(term);
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
  ['Éng Ünit Smørrebrød Łódź', ['eng', 'ÉNG', 'unit eng', 'smorre', 'lodz', 'ŁÓDŹ', 'øRREBRØD e']],
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

test('words are found in any order and in any part, across line breaks', async () => {
  const { tenantId } = await createTenant(db);
  const directory = openAsAdmin(db, tenantId);
  await createGroup(directory, { tenantId, name: 'Alpha', description: 'First\nsecond\r\nthird' });
  await upsertUsers(openDirectory(db, superAdmin), {
    tenantId,
    users: [{ id: newId('user'), email: 'a@example.org', displayName: 'Ann' }],
  });
  const found = (search: string) => countGroups(directory, { filter: { search } });
  expect([await found('first\nSecond'), await found('third\r\nsec'), await found('thi  alp')]).toEqual([
    1, 1, 1,
  ]);
  expect([await found('alphafirst'), await found('first fourth'), await found('firstsecond')]).toEqual([
    0, 0, 0,
  ]);
  expect(await countUsers(directory, { tenantId, search: 'nn examp' })).toBe(1);
  // What keys hold in place of a line break is no text.
  await expect(found('first\vsecond')).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
});

const quietly = () => {};
const rulesOf = async (tenantId: string) =>
  (await run(`select key_rules from tenants where id = '${tenantId}'`))[0]!.key_rules;
const setRules = (tenantId: string, rules: readonly number[]) =>
  run(`update tenants set key_rules = '{${rules}}' where id = '${tenantId}'`);

/** Rewrites the keys of a tenant as versions before wrote them. */
async function age(tenantId: string): Promise<void> {
  const groups = await run(`select id, name, description from groups where tenant_id = '${tenantId}'`);
  const old = (text: unknown) => String(text).normalize('NFC').toLowerCase();
  // In whatever order: none must meet the key that another one has until its turn.
  await run(`update groups set name_key = id where tenant_id = '${tenantId}'`);
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
  await run(`update tenants set key_rules = '{}' where id = '${tenantId}'`);
}

test('what groups and users were is searched by the rules of today, too', async () => {
  const { tenantId } = await createTenant(db);
  const directory = openAsAdmin(db, tenantId);
  const user = { id: newId('user') as string, email: 'ann@example.org' };
  const upsert = (displayName: string) =>
    upsertUsers(openDirectory(db, superAdmin), { tenantId, users: [{ ...user, displayName }] });
  await upsert('Renée');
  const { group } = await createGroup(directory, { tenantId, name: 'Équipe' });
  const then = await positionOf(db, tenantId);
  await updateGroup(directory, { id: group.id, name: 'Other' });
  await upsert('Other');
  await run(`update group_history set search_key = 'équipe' where tenant_id = '${tenantId}'`);
  await run(`update user_history set search_key = 'ann@example.org\nrenée' where tenant_id = '${tenantId}'`);
  await setRules(tenantId, []);
  await refreshCaseKeys(db, quietly);
  const past = openAsAdmin(db, tenantId).at(tenantId, then);
  expect(await countGroups(past, { filter: { search: 'equipe' } })).toBe(1);
  expect(await countUsers(past, { tenantId, search: 'renee ann' })).toBe(1);
});

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
    await repairDirectory(db);
    const { tenantId, directory, ids } = await aged();
    const [, , ix, dotted] = ids as [string, string, string, string];
    const warnings: string[] = [];
    const before = await positionOf(db, tenantId);
    const opened = await openDatabase({
      url: database.url,
      dataDir: '',
      warn: (text) => warnings.push(text),
    });
    await opened.close();
    const clash = `${[ix, dotted].sort().join(', ')} share a name under the root`;
    expect(warnings).toEqual([expect.stringContaining(clash)]);
    expect(await checkDirectory(db, tenantId)).toEqual([{ kind: 'sibling-names', message: clash }]);
    // Keys are derived: no cache holds them, and the log does not tell of them.
    expect(await positionOf(db, tenantId)).toBe(before);
    expect(await rulesOf(tenantId)).toEqual(KEY_RULES);
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
    await refreshCaseKeys(db, quietly);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
    const { restoredGroupIds } = await restoreGroup(directory, { id: parent, includeDescendants: true });
    expect(restoredGroupIds.toSorted()).toEqual([parent, ...children].toSorted());
    expect(await checkDirectory(db, tenantId)).toMatchObject([{ kind: 'sibling-names' }]);
  });

  test('are rewritten once, and by a repair too', async () => {
    const { tenantId } = await aged();
    expect((await checkDirectory(db, tenantId)).every(({ kind }) => kind === 'derived-column')).toBe(true);
    await repairDirectory(db);
    expect(await checkDirectory(db, tenantId)).toMatchObject([{ kind: 'sibling-names' }]);
    expect(await rulesOf(tenantId)).toEqual(KEY_RULES);
    await age(tenantId);
    await refreshCaseKeys(db, quietly);
    await age(tenantId);
    await setRules(tenantId, KEY_RULES);
    const warnings: string[] = [];
    await refreshCaseKeys(db, (text) => warnings.push(text));
    expect(warnings).toEqual([]);
    expect(await checkDirectory(db, tenantId)).not.toEqual([]);
    await repairDirectory(db);
  });
});

test('a repair gives siblings the names that each other has the key of', async () => {
  // It repairs every tenant, those of other tests too.
  await repairDirectory(db);
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

test('the number of the rules belongs to what they make of a text: raise KEY_RULES with a change of keys', () => {
  // Letters whose case is the same in all versions of Unicode since 5, and those that the rules name.
  const letters = Array.from({ length: 0x530 - 0x20 }, (_, index) => String.fromCodePoint(0x20 + index));
  const texts = [
    ...letters.filter((letter) => /^[\p{ASCII}À-ſΆ-ώЀ-я]$/u.test(letter)),
    ...Object.keys(TITLES),
  ];
  const keys = ['ΟΔΟΣ', 'İx', 'ẞ', 'Ταΐζω', '  Å ', 'a\nb', ...texts].map((text) => [
    nameKey(text),
    searchKey(text, text),
    searchTerms(text),
  ]);
  const digest = createHash('sha256').update(JSON.stringify(keys)).digest('hex').slice(0, 16);
  expect([KEY_RULES[0], digest]).toEqual([2, 'c337988f949a80c3']);
});

describe('a start', () => {
  const open = (options: Partial<DatabaseOptions> = {}) =>
    openDatabase({ url: database.url, dataDir: '', warn: quietly, ...options }).then((opened) =>
      opened.close(),
    );
  /** A tenant of older keys with two siblings that now have one name. */
  async function clashing() {
    const { tenantId } = await createTenant(db);
    const directory = openAsAdmin(db, tenantId);
    const ids = [];
    for (const name of ['ix', 'İx']) {
      const { group } = await createGroup(directory, { tenantId, name: newId('group') });
      await db.sql(Prisma.sql`update groups set name = ${name} where id = ${group.id}`);
      ids.push(group.id);
    }
    await age(tenantId);
    return { tenantId, directory, clash: `${ids.toSorted().join(', ')} share a name` };
  }
  const older = [KEY_RULES[0]!, KEY_RULES[1]! - 1, 9];
  const newer = [KEY_RULES[0]!, KEY_RULES[1]! + 1, 0];

  test('refreshes keys of older rules and of an older Unicode, and leaves newer ones alone', async () => {
    const { tenantId } = await createTenant(db);
    await createGroup(openAsAdmin(db, tenantId), { tenantId, name: 'ΟΔΟΣ' });
    for (const rules of [[], [0, 99, 0], older]) {
      await age(tenantId);
      await setRules(tenantId, rules);
      await open();
      expect([await rulesOf(tenantId), await checkDirectory(db, tenantId)]).toEqual([KEY_RULES, []]);
    }
    for (const rules of [newer, [KEY_RULES[0]! + 1, 0]]) {
      await age(tenantId);
      await setRules(tenantId, rules);
      const warnings: string[] = [];
      await open({ warn: (text) => warnings.push(text) });
      expect(warnings).toEqual([
        expect.stringMatching(/^The keys for names and search of 1 tenants .*newer version.*--repair$/),
      ]);
      expect(await rulesOf(tenantId)).toEqual(rules);
      expect(await checkDirectory(db, tenantId)).toMatchObject([{ kind: 'derived-column' }]);
      // The way back for good.
      await repairDirectory(db);
      expect([await rulesOf(tenantId), await checkDirectory(db, tenantId)]).toEqual([KEY_RULES, []]);
    }
  });

  test('that ends before it has told of clashes leaves that to the next one', async () => {
    const [one, two] = [await clashing(), await clashing()];
    const warnings: string[] = [];
    const ends = open({
      warn: (text) => {
        if (warnings.push(text) === 2) throw new Error('ended');
      },
    });
    await expect(ends).rejects.toThrow('ended');
    const [first, second] = one.tenantId < two.tenantId ? [one, two] : [two, one];
    expect([await rulesOf(first.tenantId), await rulesOf(second.tenantId)]).toEqual([KEY_RULES, []]);
    await open({ warn: (text) => warnings.push(text) });
    expect(warnings).toEqual([first, second, second].map(({ clash }) => expect.stringContaining(clash)));
    expect(await rulesOf(second.tenantId)).toEqual(KEY_RULES);
  });

  test('waits for the lock of a tenant longer than a request would, and finds what was done meanwhile', async () => {
    const { tenantId } = await clashing();
    const warnings: string[] = [];
    let opening: Promise<void> | undefined;
    await db.transaction(async (sql) => {
      await sql(holdGraph(tenantId));
      opening = open({ timeouts: { lock: 50 }, warn: (text) => warnings.push(text) });
      await untilOneWaits(database);
      await new Promise((resolve) => setTimeout(resolve, 200));
      // As another server that refreshes the same tenant.
      await sql(Prisma.sql`update tenants set key_rules = ${KEY_RULES}::int[] where id = ${tenantId}`);
    });
    await opening;
    expect(warnings).toEqual([]);
    expect(await checkDirectory(db, tenantId)).not.toEqual([]);
    await repairDirectory(db);
  });

  test('beside another one refreshes each tenant, and both end well', async () => {
    const { tenantId, clash } = await clashing();
    const warnings: string[] = [];
    const both = [1, 2].map(() => open({ timeouts: { lock: 20 }, warn: (text) => warnings.push(text) }));
    await Promise.all(both);
    expect(new Set(warnings)).toEqual(new Set([expect.stringContaining(clash)]));
    expect(await rulesOf(tenantId)).toEqual(KEY_RULES);
  });
});

describe('a name that two siblings have', () => {
  /** Two siblings `ix` under a parent, and which of them stores the plain key. */
  async function twins() {
    const { tenantId } = await createTenant(db);
    const directory = openAsAdmin(db, tenantId);
    const create = async (name: string, parentGroupId: GroupId | null) =>
      (await createGroup(directory, { tenantId, name, parentGroupId })).group.id;
    const top = await create('Top', null);
    const parent = await create('Parent', top);
    const ids = [await create('1', parent), await create('2', parent)].toSorted();
    for (const [index, name] of ['ix', 'İx'].entries())
      await db.sql(Prisma.sql`update groups set name = ${name} where id = ${ids[index]}`);
    await age(tenantId);
    await refreshCaseKeys(db, quietly);
    const [plain, suffixed] = ids as [GroupId, GroupId];
    expect([await keyOf(plain), await keyOf(suffixed)]).toEqual(['ix', `ix\x1f${suffixed}`]);
    return { tenantId, directory, create, top, parent, plain, suffixed };
  }
  const keyOf = async (id: string) =>
    (await run(`select name_key from groups where id = '${id}'`))[0]!.name_key;
  const taken = { code: 'NAME_TAKEN' };

  /** Lets a suffixed key be the only one of its name, as it stays where an older version renames the other group. */
  const alone = (plain: GroupId) =>
    run(`update groups set name = 'Gone', name_key = 'gone', search_key = 'gone' where id = '${plain}'`);

  test('is taken also if no group stores the plain key: for a new, renamed or moved group', async () => {
    const { tenantId, directory, create, parent, plain } = await twins();
    await alone(plain);
    const other = await create('Other', parent);
    const root = await create('IX', null);
    await expect(create('IX', parent)).rejects.toMatchObject(taken);
    await expect(updateGroup(directory, { id: other, name: 'Ix' })).rejects.toMatchObject(taken);
    await expect(updateGroup(directory, { id: root, parentGroupId: parent })).rejects.toMatchObject(taken);
    // What only begins so is another name.
    await create('ix ix', parent);
    await create('ix!', parent);
    await create('i', parent);
    expect(await countGroups(directory, { filter: { tenantId, parentGroupId: parent } })).toBe(6);
  });

  test('is taken also for what ORPHAN moves up, and for a group that is restored', async () => {
    const { directory, create, parent, plain } = await twins();
    await alone(plain);
    const between = await create('Between', parent);
    const child = await create('Ix', between);
    const orphan = () => deleteGroup(directory, { id: between, strategy: 'ORPHAN' });
    await expect(orphan()).rejects.toMatchObject({ ...taken, details: { names: ['Ix'] } });
    await deleteGroup(directory, { id: child });
    await db.sql(Prisma.sql`update groups set parent_group_id = ${parent} where id = ${child}`);
    await expect(restoreGroup(directory, { id: child })).rejects.toMatchObject(taken);
  });

  test.each(['renamed', 'moved', 'deleted'] as const)(
    'is the other one’s alone when one is %s',
    async (how) => {
      const { tenantId, directory, plain, suffixed } = await twins();
      if (how === 'renamed') await updateGroup(directory, { id: plain, name: 'Other' });
      if (how === 'moved') await updateGroup(directory, { id: plain, parentGroupId: null });
      if (how === 'deleted') await deleteGroup(directory, { id: plain });
      expect(await keyOf(suffixed)).toBe('ix');
      expect(await checkDirectory(db, tenantId)).toEqual([]);
      if (how === 'deleted') {
        await expect(restoreGroup(directory, { id: plain })).rejects.toMatchObject(taken);
        await updateGroup(directory, { id: suffixed, name: 'Other' });
        await restoreGroup(directory, { id: plain });
        expect(await checkDirectory(db, tenantId)).toEqual([]);
      }
    },
  );

  test('keeps its suffix until it is free, and loses it when the group is written', async () => {
    const { tenantId, directory, plain, suffixed } = await twins();
    await updateGroup(directory, { id: suffixed, name: 'IX', description: 'changed' });
    expect(await keyOf(suffixed)).toBe(`ix\x1f${suffixed}`);
    await alone(plain);
    await updateGroup(directory, { id: suffixed, description: 'again' });
    expect(await keyOf(suffixed)).toBe('ix');
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('goes to the first of several that are left', async () => {
    const { tenantId, directory, create, parent, plain, suffixed } = await twins();
    const third = await create('3', parent);
    await run(
      `update groups set name = 'iX', name_key = 'ix' || chr(31) || id, search_key = 'ix' where id = '${third}'`,
    );
    await updateGroup(directory, { id: plain, name: 'Other' });
    const [first, last] = [suffixed, third].toSorted();
    expect([await keyOf(first!), await keyOf(last!)]).toEqual(['ix', `ix\x1f${last}`]);
    expect(await checkDirectory(db, tenantId)).toMatchObject([{ kind: 'sibling-names' }]);
  });

  test('goes with both when they are moved up and come back, and with one that is restored alone', async () => {
    const { tenantId, directory, top, parent, plain, suffixed } = await twins();
    await deleteGroup(directory, { id: parent, strategy: 'ORPHAN' });
    expect(await keyOf(suffixed)).toBe(`ix\x1f${suffixed}`);
    expect(await restoreGroup(directory, { id: parent })).toMatchObject({ notRestored: [] });
    expect(await keyOf(suffixed)).toBe(`ix\x1f${suffixed}`);
    expect(await checkDirectory(db, tenantId)).toMatchObject([{ kind: 'sibling-names' }]);
    await deleteGroup(directory, { id: parent, strategy: 'ORPHAN' });
    await deleteGroup(directory, { id: suffixed });
    await restoreGroup(directory, { id: parent });
    await expect(restoreGroup(directory, { id: suffixed })).rejects.toMatchObject(taken);
    await updateGroup(directory, { id: plain, parentGroupId: top });
    await restoreGroup(directory, { id: suffixed });
    expect(await keyOf(suffixed)).toBe('ix');
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('is free beside a deleted group that stores it with a suffix', async () => {
    const { tenantId, directory, top, parent, plain, suffixed } = await twins();
    await deleteGroup(directory, { id: top, strategy: 'CASCADE' });
    await restoreGroup(directory, { id: plain });
    expect(await checkDirectory(db, tenantId)).toEqual([]);
    await expect(restoreGroup(directory, { id: suffixed })).rejects.toMatchObject(taken);
    await restoreGroup(directory, { id: top, includeDescendants: true });
    expect((await findGroup(directory, parent))?.parentGroupId).toBe(top);
    expect(await keyOf(suffixed)).toBe('ix');
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });
});

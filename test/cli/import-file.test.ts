// Import of a file: nothing of it is altered, dropped or passed over without a word, and each fault says where it stands.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma } from '../../src/database/database.ts';
import { checkDirectory } from '../../src/domain/integrity/check.ts';
import { importDirectory } from '../../src/import/import-directory.ts';
import { readImportFile } from '../../src/import/read-file.ts';
import { newId } from '../../src/model/ids.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
let folder: string;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
  folder = await mkdtemp(join(tmpdir(), 'coterie-import-file-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await database.close();
});

const run = (statement: string) => db.sql<Record<string, unknown>>(Prisma.raw(statement) as never);

type Row = Record<string, unknown>;
type Sections = Record<string, unknown>;

/** A tenant with a user, group A with that user, and group B nested in it. Ids end in a word of its own. */
function world() {
  const word = newId('tenant').slice(4);
  const [tenantId, partnerId, user] = [`tnt_${word}`, `prt_${word}`, `usr_${word}`];
  const [a, b] = [`grp_${word}A`, `grp_${word}B`];
  const sections = {
    partners: [{ id: partnerId, name: 'Partner' }],
    tenants: [{ id: tenantId, partnerId, name: 'Tenant', slug: word }],
    users: [{ id: user, tenantId, email: 'a@example.org', displayName: 'Ann' }] as Row[],
    groups: [
      {
        id: a,
        tenantId,
        name: 'A',
        description: 'First',
        customAttributes: { n: 1 },
        groupType: 'DISTRIBUTION',
      },
      { id: b, tenantId, name: 'B', parentGroupId: a },
    ] as Row[],
    memberships: [{ groupId: a, userId: user }],
    nestings: [{ parentGroupId: a, childGroupId: b }],
  };
  return { word, tenantId, partnerId, user, a, b, sections };
}

let files = 0;
async function importText(text: string | Buffer) {
  const path = join(folder, `${++files}.json`);
  await writeFile(path, text);
  return importDirectory(db, readImportFile(path));
}
const load = (sections: Sections) => importText(JSON.stringify(sections));
/** The first row of a section with other columns. */
const withFirst = (sections: Sections, section: string, columns: Row): Sections => {
  const [first, ...rest] = sections[section] as Row[];
  return { ...sections, [section]: [{ ...first, ...columns }, ...rest] };
};
const count = async (table: string, tenantId: string) =>
  (await run(`select count(*)::int as n from ${table} where tenant_id = '${tenantId}'`))[0]!.n;
const stored = async (tenantId: string) =>
  Promise.all(['users', 'groups', 'memberships', 'nestings'].map((table) => count(table, tenantId)));

describe('the text of a file', () => {
  test.each<[string, (text: string) => string | Buffer, RegExp]>([
    [
      'a byte that is no UTF-8',
      (text) => Buffer.from(text.replace('Ann', 'Andr\u00e9'), 'latin1'),
      /, line \d+, .*users.*: the text is not UTF-8/,
    ],
    ['a character that breaks off', (text) => Buffer.from(text).subarray(0, -1), /: Parser/],
    [
      'half of a character at its end',
      (text) => Buffer.concat([Buffer.from(text), Buffer.from([0xe2, 0x82])]),
      /: the text is not UTF-8/,
    ],
    [
      'half of a surrogate pair, in UTF-8',
      (text) => Buffer.from(text.replace('Ann', '\u00ed\u00a0\u0080'), 'latin1'),
      /: the text is not UTF-8/,
    ],
    [
      'a comma too many',
      (text) => text.replace('"Partner"', '"Partner",'),
      /, line 1, .*partners: Parser cannot parse/,
    ],
    [
      'a syntax error in a later row',
      (text) => text.replace('"parentGroupId"', "'parentGroupId'"),
      /, line 1, (in|after) groups(\[0\])?: Parser/,
    ],
    ['a line break in a text', (text) => text.replace('Ann', 'An\nn'), /, line \d, .*users: Parser/],
    ['more behind it', (text) => `${text} {}`, /: Parser cannot parse input: unexpected characters/],
    ['nothing', () => '', /line 1, at the start: Parser has expected a value/],
    ['a number', () => '5', /line 1, at the start: the file must hold a JSON object/],
    ['a text', () => '"users"', /the file must hold a JSON object/],
    ['null', () => 'null', /the file must hold a JSON object/],
    ['UTF-16', (text) => Buffer.from(text, 'utf16le'), /line 1, at the start/],
  ])('with %s is refused whole, and says where', async (_name, spoil, message) => {
    const { sections, tenantId } = world();
    await expect(importText(spoil(JSON.stringify(sections)))).rejects.toThrow(message);
    expect(await run(`select id from tenants where id = '${tenantId}'`)).toEqual([]);
  });

  test('names the line of a file of many lines', async () => {
    const { sections } = world();
    const text = JSON.stringify(sections, null, 2);
    const line = text.split('\n').findIndex((each) => each.includes('Ann')) + 1;
    const latin1 = Buffer.from(text.replace('Ann', 'Andr\u00e9'), 'latin1');
    await expect(importText(latin1)).rejects.toThrow(`line ${line}, in users: the text is not UTF-8`);
    await expect(importText(text.replace('"Ann"', 'Ann'))).rejects.toThrow(`line ${line}, in users: Parser`);
  });

  test('may begin with a byte order mark, and hold any character', async () => {
    const { sections, tenantId, user } = world();
    const displayName = ' é€🦊\ufffd\ufeff ';
    const text = JSON.stringify(withFirst(sections, 'users', { displayName }));
    expect((await importText(`\ufeff${text}`)).tenants[0]!.faults).toEqual([]);
    expect(await run(`select display_name from users where id = '${user}'`)).toEqual([
      { display_name: displayName },
    ]);
    expect(await stored(tenantId)).toEqual([1, 2, 1, 1]);
  });
});

describe('what the sections hold', () => {
  test.each<[string, (w: ReturnType<typeof world>) => Sections, (w: ReturnType<typeof world>) => unknown[]]>([
    [
      'rows that are no objects',
      ({ sections }) => ({ ...sections, users: [...sections.users, 'usr_x', null, 5, ['usr_y'], true] }),
      () => [1, 2, 3, 4, 5].map((index) => expect.stringMatching(`^users\\[${index}\\]: .*expected object`)),
    ],
    [
      'a section in other letters',
      ({ sections: { users, ...rest } }) => ({ ...rest, memberships: [], Users: users }),
      () => ['Users: unknown section; its 1 rows are not stored'],
    ],
    [
      'a section that is an object',
      ({ sections }) => ({ ...sections, nestings: { a: [] } }),
      () => ['nestings must be an array'],
    ],
    [
      'a section that is a text',
      ({ sections }) => ({ ...sections, nestings: 'none' }),
      () => ['nestings must be an array'],
    ],
    [
      'a section that is null',
      ({ sections }) => ({ ...sections, nestings: null }),
      () => ['nestings must be an array'],
    ],
    [
      'users of a tenant that is not in the file',
      ({ sections, user }) => ({
        ...sections,
        users: [
          ...sections.users,
          ...[1, 2].map((n) => ({ id: `${user}${n}`, tenantId: 'tnt_none', email: 'b@example.org' })),
        ],
      }),
      () => ['users[1] and 1 more: tenant tnt_none is not in the file, or is not valid'],
    ],
    [
      'a group of such a tenant, with its edges',
      ({ sections, user, b }) => ({
        ...sections,
        groups: [...sections.groups, { id: `${b}x`, tenantId: 'tnt_none', name: 'X' }],
        memberships: [...sections.memberships, { groupId: `${b}x`, userId: user }],
      }),
      () => ['groups[2] and 1 more: tenant tnt_none is not in the file, or is not valid'],
    ],
  ])('%s are told, and the rest is stored', async (_name, spoil, faults) => {
    const w = world();
    const report = await load(spoil(w));
    expect(report.faults).toEqual(faults(w));
    expect(report.tenants.map((tenant) => tenant.faults)).toEqual([[]]);
    expect(await count('groups', w.tenantId)).toBe(2);
  });

  test.each([[{}], [{ Users: [] }], [{ version: 1, expected: {} }]])(
    '%j has no section at all',
    async (sections) => {
      const { faults } = await load(sections);
      expect(faults).toEqual([
        'The file has none of the sections partners, tenants, users, groups, memberships, nestings',
      ]);
    },
  );

  test('keys beside them that hold no rows are named', async () => {
    const { sections } = world();
    const report = await load({ version: 1, ...sections, expected: { users: [{}] } });
    expect(report).toMatchObject({ faults: [], skipped: ['version', 'expected'] });
    expect((await load(sections)).skipped).toBeUndefined();
  });

  test.each<[string, (w: ReturnType<typeof world>) => Sections, string | RegExp]>([
    [
      'a field of another name',
      ({ sections }) => withFirst(sections, 'users', { display_name: 'Ann' }),
      'users[0]: Unrecognized key: "display_name"',
    ],
    [
      'NUL in the name of a tenant',
      ({ sections }) => withFirst(sections, 'tenants', { name: 'a\0' }),
      /^tenants\[0\]: name must not contain control characters$/,
    ],
    [
      'a control character in its slug',
      ({ sections }) => withFirst(sections, 'tenants', { slug: 'a\u0007' }),
      /^tenants\[0\]: slug must not contain control/,
    ],
    [
      'half a character in the name of a partner',
      ({ sections }) => withFirst(sections, 'partners', { name: 'a\ud800' }),
      /^partners\[0\]: name must not contain control/,
    ],
    [
      'a name of a partner that nobody sees',
      ({ sections }) => withFirst(sections, 'partners', { name: '\u200b' }),
      /^partners\[0\]: name must have a visible/,
    ],
    [
      'a name of a group that nobody sees',
      ({ sections }) => withFirst(sections, 'groups', { name: '\u2060' }),
      /^groups\[0\]: name must have a visible/,
    ],
    [
      'a control character in a description',
      ({ sections }) => withFirst(sections, 'groups', { description: '\u001f' }),
      /^groups\[0\]: description must not contain control/,
    ],
    [
      'an address with blanks around it',
      ({ sections }) => withFirst(sections, 'users', { email: ' a@b' }),
      'users[0]: email must be an email address',
    ],
  ])('%s is refused with its place', async (_name, spoil, message) => {
    const w = world();
    const { tenants, faults } = await load(spoil(w));
    expect([...faults, ...tenants.flatMap((tenant) => tenant.faults)]).toContainEqual(
      typeof message === 'string' ? message : expect.stringMatching(message),
    );
    expect(await stored(w.tenantId)).toEqual([0, 0, 0, 0]);
  });

  test('a key that a row has twice is refused', async () => {
    const { sections, tenantId } = world();
    for (const [before, after] of [
      ['"displayName":"Ann"', '"displayName":"Ann","displayName":"Bob"'],
      ['{"n":1}', '{"n":1,"\\u006e":2}'],
    ]) {
      const { tenants } = await importText(JSON.stringify(sections).replace(before!, after!));
      expect(tenants[0]!.faults).toEqual([
        expect.stringMatching(/^(users|groups)\[0\]: duplicate key (displayName|n)$/),
      ]);
    }
    expect(await stored(tenantId)).toEqual([0, 0, 0, 0]);
  });

  test('sections may come in any order', async () => {
    const { sections, tenantId } = world();
    const { tenants, faults } = await load(Object.fromEntries(Object.entries(sections).toReversed()));
    expect([faults, tenants[0]!.faults]).toEqual([[], []]);
    expect(await stored(tenantId)).toEqual([1, 2, 1, 1]);
  });

  test('faults of edges that come before their groups are those of their tenant', async () => {
    const { sections, tenantId, a } = world();
    const { nestings, memberships, ...rest } = sections;
    const { tenants, faults } = await load({
      nestings,
      memberships: [...memberships, { groupId: a, userId: 'x' }, { groupId: 'grp_no', userId: 'x' }],
      ...rest,
    });
    const fault = (index: number) => expect.stringMatching(`^memberships\\[${index}\\]: userId must be`);
    expect([faults, tenants[0]!.faults]).toEqual([[fault(2)], [fault(1)]]);
    expect(await stored(tenantId)).toEqual([0, 0, 0, 0]);
  });

  test('a group of two tenants is refused for both, since nobody knows whose its members are', async () => {
    const [one, two, three] = [world(), world(), world()];
    const all = (name: keyof typeof one.sections) =>
      [one, two, three].flatMap(({ sections }) => sections[name] as Row[]);
    const names = Object.keys(one.sections) as (keyof typeof one.sections)[];
    const sections = Object.fromEntries(names.map((name) => [name, all(name)]));
    sections.groups!.push({ id: one.a, tenantId: two.tenantId, name: 'Stolen' });
    const report = await load(sections);
    expect(report.tenants.map((tenant) => tenant.faults)).toEqual([
      [`groups[6]: group ${one.a} also belongs to ${two.tenantId} in the file`],
      [`groups[6]: group ${one.a} also belongs to ${one.tenantId} in the file`],
      [],
    ]);
    expect(await Promise.all([one, two, three].map((w) => stored(w.tenantId)))).toEqual([
      [0, 0, 0, 0],
      [0, 0, 0, 0],
      [1, 2, 1, 1],
    ]);
  });
});

describe('a second import', () => {
  const groups = (tenantId: string) =>
    run(`select name, description, parent_group_id as parent, type::text, custom_attributes as attributes, version
      from groups where tenant_id = '${tenantId}' order by name`);

  test('leaves what the file does not name', async () => {
    const { sections, tenantId, user, a, b } = world();
    await load(sections);
    const before = await groups(tenantId);
    const bare = {
      ...sections,
      users: [{ id: user, tenantId, email: 'a@example.org' }],
      groups: [a, b].map((id, index) => ({ id, tenantId, name: 'AB'[index] })),
    };
    const report = await load(bare);
    const unchanged = (rows: number) => ({ created: 0, updated: 0, unchanged: rows });
    expect(report.tenants[0]!.faults).toEqual([]);
    expect(report.tenants[0]!.tallies).toMatchObject({ users: unchanged(1), groups: unchanged(2) });
    expect(await groups(tenantId)).toEqual(before);
    // What is named beside it is taken over, and keys hold what stays.
    await load({
      ...bare,
      users: [{ id: user, tenantId, email: 'b@example.org' }],
      groups: [{ id: a, tenantId, name: 'New' }],
      memberships: [],
      nestings: [],
    });
    expect(await run(`select email, display_name, search_key from users where id = '${user}'`)).toEqual([
      { email: 'b@example.org', display_name: 'Ann', search_key: 'b@example.org\nann' },
    ]);
    expect(await groups(tenantId)).toMatchObject([
      { name: 'B', parent: a },
      { name: 'New', description: 'First', type: 'DISTRIBUTION', attributes: { n: 1 }, version: 2 },
    ]);
    const [event] = await run(`select data from changes where group_id = '${a}' and type = 'group.updated'`);
    const fields = {
      description: 'First',
      type: 'DISTRIBUTION',
      parentGroupId: null,
      customAttributes: { n: 1 },
    };
    expect(event!.data).toEqual({
      changed: ['name'],
      before: { name: 'A', ...fields },
      after: { name: 'New', ...fields },
    });
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test('clears what is null', async () => {
    const { sections, tenantId, user } = world();
    await load(sections);
    const cleared = withFirst(
      withFirst(sections, 'groups', { description: null, customAttributes: null }),
      'users',
      { displayName: null },
    );
    expect((await load(cleared)).tenants[0]!.faults).toEqual([]);
    expect((await groups(tenantId))[0]).toMatchObject({ description: null, attributes: null, version: 2 });
    expect(await run(`select display_name from users where id = '${user}'`)).toEqual([
      { display_name: null },
    ]);
    expect(await checkDirectory(db, tenantId)).toEqual([]);
  });

  test.each<[string, (w: ReturnType<typeof world>) => Row[], [string, string | null][]]>([
    [
      'a name to a new group',
      ({ a, tenantId, word }) => [
        { id: a, tenantId, name: 'Old A' },
        { id: `grp_${word}N`, tenantId, name: 'a' },
      ],
      [
        ['B', 'Old A'],
        ['Old A', null],
        ['a', null],
      ],
    ],
    [
      'names between siblings',
      ({ a, word, tenantId }) => [
        { id: a, tenantId, name: 'C' },
        { id: `grp_${word}C`, tenantId, name: 'A' },
      ],
      [
        ['A', null],
        ['B', 'C'],
        ['C', null],
      ],
    ],
    [
      'places as well',
      ({ a, b, word, tenantId }) => [
        { id: b, tenantId, name: 'C', parentGroupId: null },
        { id: `grp_${word}C`, tenantId, name: 'B', parentGroupId: a },
      ],
      [
        ['A', null],
        ['B', 'A'],
        ['C', null],
      ],
    ],
  ])('hands %s', async (_name, change, expected) => {
    const w = world();
    const c = { id: `grp_${w.word}C`, tenantId: w.tenantId, name: 'C' };
    const before = w.sections.groups;
    await load({ ...w.sections, groups: _name.startsWith('a name') ? before : [...before, c] });
    const { tenants } = await load({ ...w.sections, groups: change(w), memberships: [], nestings: [] });
    expect(tenants[0]!.faults).toEqual([]);
    const rows =
      await run(`select g.name, p.name as parent from groups g left join groups p on p.id = g.parent_group_id
      where g.tenant_id = '${w.tenantId}' order by g.name`);
    expect(rows.map(({ name, parent }) => [name, parent])).toEqual(expected);
    expect(await checkDirectory(db, w.tenantId)).toEqual([]);
  });

  test('of a tenant that fails otherwise is told, and the others are stored', async () => {
    const [bad, good] = [world(), world()];
    await load(bad.sections);
    await run(`create function refuse_${bad.word.toLowerCase()}() returns trigger language plpgsql as
      $$ begin if new.id = '${bad.a}' then raise exception 'out of order'; end if; return new; end $$`);
    await run(
      `create trigger refuse before update on groups for each row execute function refuse_${bad.word.toLowerCase()}()`,
    );
    try {
      const both = Object.fromEntries(
        Object.entries(withFirst(bad.sections, 'groups', { description: 'New' })).map(([name, rows]) => [
          name,
          [...(rows as Row[]), ...(good.sections[name as 'users'] as Row[])],
        ]),
      );
      const report = await load(both);
      expect(report.tenants.map(({ faults, tallies }) => [faults, tallies !== null])).toEqual([
        [[expect.stringMatching(/^failed: .*out of order/)], false],
        [[], true],
      ]);
    } finally {
      await run('drop trigger refuse on groups');
    }
    expect(await stored(good.tenantId)).toEqual([1, 2, 1, 1]);
  });
});

describe('beside what a file names', () => {
  test('other tenants keep their names, and other groups and users all that they have', async () => {
    const first = world();
    await load(first.sections);
    const state = () =>
      run(`
        select t.id, t.name, t.slug, p.name as partner, g.name as "group", g.description, g.version, u.display_name
        from tenants t join partners p on p.id = t.partner_id
        join groups g on g.tenant_id = t.id join users u on u.tenant_id = t.id
        where t.id = '${first.tenantId}' order by g.id`);
    const before = await state();
    const second = world();
    await load(withFirst(second.sections, 'tenants', { name: 'Another' }));
    await load(withFirst(second.sections, 'tenants', { name: 'Another again' }));
    expect(await state()).toEqual(before);
  });

  test('a group without a place is judged where it is stored', async () => {
    const { sections, tenantId, word, b } = world();
    await load({ ...sections, groups: [...sections.groups, { id: `grp_${word}C`, tenantId, name: 'Twin' }] });
    const again = { ...sections, groups: [{ id: b, tenantId, name: 'Twin' }], memberships: [], nestings: [] };
    expect((await load(again)).tenants[0]!.faults).toEqual([]);
    const rootAgain = { ...again, groups: [{ id: b, tenantId, name: 'Twin', parentGroupId: null }] };
    expect((await load(rootAgain)).tenants[0]!.faults).toHaveLength(1);
  });

  test('a type of null is the default one', async () => {
    const { sections, tenantId, a, b } = world();
    await load(sections);
    const typed = (id: string) => ({
      ...sections,
      groups: [{ id, tenantId, name: 'N', groupType: null }],
      memberships: [],
      nestings: [],
    });
    expect((await load(typed(b))).tenants[0]!.faults).toEqual([]);
    expect((await load(typed(a))).tenants[0]!.faults).toEqual([`group ${a}: the type cannot be changed`]);
  });

  test('a nesting that stands for a deleted group is one of its own as soon as a file has it', async () => {
    const { sections, tenantId, a, b } = world();
    await load(sections);
    await run(`update nestings set stands_for = '{del_x}' where tenant_id = '${tenantId}'`);
    expect((await load(sections)).tenants[0]!.faults).toEqual([]);
    expect(
      await run(`select parent_group_id as parent, child_group_id as child, stands_for as "standsFor" from nestings
        where tenant_id = '${tenantId}'`),
    ).toEqual([{ parent: a, child: b, standsFor: null }]);
  });
});

describe('faults', () => {
  test('of a tenant are all told, in the order of the file', async () => {
    const { sections, tenantId, user } = world();
    const users = [
      { id: user, tenantId, email: 'nobody' },
      { id: 'wrong', tenantId, email: 'a@example.org' },
      { id: `${user}2`, tenantId, email: 'none' },
    ];
    const { tenants } = await load({ ...sections, users });
    expect(tenants[0]!.faults.map((fault) => fault.split(' ', 2).join(' '))).toEqual([
      'users[0]: email',
      'users[1]: id',
      'users[2]: email',
    ]);
  });

  test('of rows of a tenant that is not in the file are told beside it', async () => {
    const { sections, word } = world();
    const absent = `tnt_${word}X`;
    const users = [...sections.users, { id: `usr_${word}Z`, tenantId: absent, email: 'nobody' }];
    const { faults } = await load({ ...sections, users });
    expect(faults).toHaveLength(2);
    expect(faults[0]).toMatch(/^users\[1\]: email /);
    expect(faults[1]).toBe(`users[1]: tenant ${absent} is not in the file, or is not valid`);
  });

  test('of the text say after which row they stand', async () => {
    const { sections } = world();
    const broken = JSON.stringify(sections).replace('"memberships":[', '"memberships":[{},!');
    await expect(importText(broken)).rejects.toThrow(/, line 1, after memberships\[0\]: /);
  });
});

test('a character whose bytes are read in two pieces stays whole', async () => {
  const { sections, tenantId } = world();
  // Files are read in blocks of 64 KiB: two letters of three bytes each, at each of three places, meet every boundary.
  for (const shift of ['', 'x', 'xx']) {
    const users = Array.from({ length: 400 }, (_, at) => ({
      id: `usr_${tenantId.slice(4)}${at}`,
      tenantId,
      email: `a${at}@example.org`,
      displayName: `${shift}${'€'.repeat(250)}`,
    }));
    const report = await load({ ...sections, users: [...sections.users, ...users] });
    expect(report.tenants[0]!.faults).toEqual([]);
    const [row] = await run(`
      select count(*)::int as n from users
      where tenant_id = '${tenantId}' and display_name = '${shift}${'€'.repeat(250)}'`);
    expect(row!.n).toBe(400);
  }
});

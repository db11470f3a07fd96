// Groups: what creating and changing them stores, raises, writes down and refuses, at every bound of their fields.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, Prisma, type Sql } from '../../src/database/database.ts';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { deleteGroup } from '../../src/domain/commands/delete-group.ts';
import { updateGroup } from '../../src/domain/commands/update-group.ts';
import { type Directory, openDirectory } from '../../src/domain/directory.ts';
import { findGroup, listGroups } from '../../src/domain/queries/groups.ts';
import {
  createTenant,
  openAsAdmin,
  partnerAdmin,
  plainUser,
  platform,
  service,
  superAdmin,
  tenantAdmin,
} from '../support/directories.ts';
import {
  behind,
  chain,
  createWorld,
  edgesOf,
  eventsOf,
  FORBIDDEN,
  groupsOf,
  holdGraph,
  invalid,
  markDeleted,
  notFound,
  positionOf,
  refusal,
  unknownUsers,
} from '../support/group-worlds.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await openTestDatabase();
  db = database.db;
});
afterAll(() => database.close());

const ADMIN = 'user usr_administrator';
const taken = (name: string) => ({
  code: 'NAME_TAKEN',
  message: `The destination already has a group named "${name}"`,
  details: { names: [name] },
});
const otherTenant = (id: string) => ({
  code: 'OTHER_TENANT',
  message: `${id} belongs to another tenant`,
  details: { id },
});
const tooDeep = (levels: number) => ({
  code: 'LIMIT_EXCEEDED',
  message: `The hierarchy would have ${levels} levels; the limit is 32`,
  details: { limit: 32 },
});
const storedOf = async (id: string) =>
  (await db.sql<Record<string, unknown>>(Prisma.sql`select * from groups where id = ${id}`))[0]!;
const found = async (directory: Directory, search: string) =>
  (await listGroups(directory, { filter: { search }, page: {} })).rows.map(({ name }) => name);

describe('a new group', () => {
  test('is stored, given back and written down whole', async () => {
    const { tenantId, directory, users, ids } = await createWorld(db, { Parent: {} }, 3);
    const [u0, u1] = users;
    const customAttributes = { b: [1, null, { c: true }], a: 'x' };
    const { group, position } = await createGroup(directory, {
      tenantId,
      name: '  New Ä/\\  ',
      description: ' Its Description ',
      type: 'DISTRIBUTION',
      parentGroupId: ids.Parent,
      initialMemberIds: [u1!, u0!, u1!],
      customAttributes,
    });
    const fields = {
      name: '  New Ä/\\  ',
      description: ' Its Description ',
      type: 'DISTRIBUTION',
      parentGroupId: ids.Parent,
      customAttributes,
    };
    expect(group).toEqual({
      id: expect.stringMatching(/^grp_[A-Za-z0-9]{16}$/),
      tenantId,
      ...fields,
      version: 1,
      createdAt: expect.any(Date),
      updatedAt: group.createdAt,
      memberCount: 2,
    });
    expect(await storedOf(group.id)).toMatchObject({
      tenant_id: tenantId,
      parent_group_id: ids.Parent,
      name: '  New Ä/\\  ',
      name_key: 'new ä/\\',
      search_key: '  new a/\\  \n its description ',
      description: ' Its Description ',
      type: 'DISTRIBUTION',
      custom_attributes: customAttributes,
      version: 1,
      member_count: 2,
      deleted_at: null,
      deletion_id: null,
    });
    expect(Math.abs(Date.now() - group.createdAt.getTime())).toBeLessThan(600_000);
    expect(await edgesOf(db, tenantId)).toEqual(
      [`  New Ä/\\  : ${u0} by usr_administrator`, `  New Ä/\\  : ${u1} by usr_administrator`].sort(),
    );
    expect(await eventsOf(db, tenantId)).toEqual([
      { type: 'group.created', group: '  New Ä/\\  ', actor: ADMIN, data: { after: fields } },
      { type: 'group_membership.added', group: '  New Ä/\\  ', actor: ADMIN, data: { userIds: [u1, u0] } },
    ]);
    // The group and its members are one change.
    expect(position).toBe(1);
    expect(await positionOf(db, tenantId)).toBe(1);
    expect(await findGroup(openAsAdmin(db, tenantId), group.id)).toEqual({ ...group, memberCount: 2 });
    // The parent is as it was: what is filed below it is not a change of it.
    expect((await groupsOf(db, tenantId)).Parent).toMatchObject({ version: 3, touched: false });
  });

  test.each([
    ['absent', {}],
    [
      'null',
      { description: null, type: null, parentGroupId: null, initialMemberIds: null, customAttributes: null },
    ],
    ['empty', { initialMemberIds: [] }],
  ])('is an empty security group at the root where all else is %s', async (_case, input) => {
    const { tenantId, directory } = await createWorld(db, {});
    const { group } = await createGroup(directory, { tenantId, name: 'New', ...input });
    const fields = {
      name: 'New',
      description: null,
      type: 'SECURITY',
      parentGroupId: null,
      customAttributes: null,
    };
    expect(group).toMatchObject({ ...fields, version: 1 });
    expect(await storedOf(group.id)).toMatchObject({
      search_key: 'new',
      member_count: 0,
      custom_attributes: null,
    });
    expect(await eventsOf(db, tenantId)).toEqual([
      { type: 'group.created', group: 'New', actor: ADMIN, data: { after: fields } },
    ]);
  });

  test('is refused with the users that the tenant does not have, each once, and leaves nothing', async () => {
    const { tenantId, directory, users } = await createWorld(db, {}, 1);
    const other = await createTenant(db, 1);
    const initialMemberIds = ['usr_unknown', users[0]!, other.userIds[0]!, 'usr_unknown'];
    expect(await refusal(createGroup(directory, { tenantId, name: 'New', initialMemberIds }))).toEqual(
      unknownUsers('usr_unknown', other.userIds[0]!),
    );
    expect(await groupsOf(db, tenantId)).toEqual({});
    expect(await eventsOf(db, tenantId)).toEqual([]);
    expect(await positionOf(db, tenantId)).toBe(0);
  });

  test('may have a thousand first members, and no more', async () => {
    const { tenantId, directory, users } = await createWorld(db, {}, 1_000);
    const create = (initialMemberIds: string[]) =>
      refusal(createGroup(directory, { tenantId, name: 'New', initialMemberIds }));
    expect(await create([...users, users[0]!])).toEqual({
      code: 'LIMIT_EXCEEDED',
      message: 'A call may name at most 1000 ids; this one names 1001',
      details: { limit: 1_000 },
    });
    expect(await create(users)).toBe('done');
    expect((await groupsOf(db, tenantId)).New!.members).toBe(1_000);
  });

  test('cannot be of a tenant that is unknown or hidden, nor made by whom may only read', async () => {
    const { tenantId, partnerId, users } = await createWorld(db, {}, 1);
    const elsewhere = await createTenant(db);
    const as = (caller: Parameters<typeof openDirectory>[1], tenant: string = tenantId) =>
      refusal(createGroup(openDirectory(db, caller), { tenantId: tenant, name: 'New' }));
    expect(await as(superAdmin, 'tnt_unknown')).toEqual(notFound('tnt_unknown'));
    expect(await as(tenantAdmin(elsewhere.tenantId))).toEqual(notFound(tenantId));
    expect(await as(partnerAdmin(elsewhere.partnerId))).toEqual(notFound(tenantId));
    expect(await as(plainUser(tenantId, users[0] as never))).toEqual(notFound(tenantId));
    expect(await as(service(tenantId, false))).toEqual(FORBIDDEN);
    expect(await as(platform(false))).toEqual(FORBIDDEN);
    expect(await eventsOf(db, tenantId)).toEqual([]);
    expect(await as(partnerAdmin(partnerId))).toBe('done');
    expect((await eventsOf(db, tenantId)).map(({ actor }) => actor)).toEqual(['user usr_partneradmin']);
  });
});

describe('a name', () => {
  const REFUSED = {
    empty: 'must not be empty',
    long: 'must have at most 255 characters',
    padded: 'must have at most 1024 characters, with the blanks around it',
    invisible: 'must have a visible character',
    control: 'must not contain control characters',
    text: 'must be text, and cannot be cleared',
  };
  const CASES: [string, unknown, string | null][] = [
    ['one character', 'x', null],
    ['255 characters', 'x'.repeat(255), null],
    ['255 characters of two units each', '🦊'.repeat(255), null],
    ['255 characters between spaces', `  ${'y'.repeat(255)}\u2003 `, null],
    ['1,024 characters with the spaces', `${' '.repeat(1_023)}x`, null],
    ['more spaces', `${' '.repeat(1_024)}x`, REFUSED.padded],
    ['a tab before', '\tx', REFUSED.control],
    ['a line break after', 'x\n', REFUSED.control],
    ['a zero-width space', '\u200b', REFUSED.invisible],
    ['fillers and marks without a form', '\u3164 \u2060\u00ad\u2800\ufeff\u180e', REFUSED.invisible],
    ['a family, joined without width', '👩\u200d👧', null],
    ['a mark alone', '\u0301', null],
    ['256 characters', 'x'.repeat(256), REFUSED.long],
    ['256 characters of two units each', '🦊'.repeat(256), REFUSED.long],
    ['no character', '', REFUSED.empty],
    ['spaces', ' \u00a0\u2003', REFUSED.empty],
    ['a line break inside', 'a\nb', REFUSED.control],
    ['NUL', 'a\0b', REFUSED.control],
    ['a C1 control', 'a\u0085b', REFUSED.control],
    ['a line separator', 'a\u2028b', REFUSED.control],
    ['a paragraph separator', 'a\u2029b', REFUSED.control],
    ['half a character', 'a\ud83db', REFUSED.control],
    ['null', null, REFUSED.text],
    ['a number', 1, REFUSED.text],
  ];
  test.each(CASES)('of %s', async (_case, name, message) => {
    const { tenantId, directory, ids } = await createWorld(db, { Group: {} });
    const created = await refusal(createGroup(directory, { tenantId, name } as never));
    expect(created).toEqual(message === null ? 'done' : invalid(['name', message]));
    if (message !== null) {
      expect(await refusal(updateGroup(directory, { id: ids.Group, name } as never))).toEqual(created);
      return;
    }
    expect(Object.keys(await groupsOf(db, tenantId)).toSorted()).toEqual(
      ['Group', name as string].toSorted(),
    );
  });

  test('is missing where none is given, beside every other fault', async () => {
    const { directory } = await createWorld(db, {});
    expect(
      await refusal(createGroup(directory, { tenantId: 'x', initialMemberIds: ['usr_1', 'y'] } as never)),
    ).toEqual(
      invalid(
        ['tenantId', 'must be a tenant id, such as tnt_ followed by letters and digits'],
        ['name', REFUSED.text],
        ['initialMemberIds.1', 'must be a user id, such as usr_ followed by letters and digits'],
      ),
    );
  });

  test.each([
    ['the same', 'Ärger', 'Parent', 'Ärger'],
    ['another case', 'äRGER', 'Parent', 'Ärger'],
    ['decomposed letters', 'A\u0308rger', 'Parent', 'Ärger'],
    ['spaces around', ' ärger ', 'Parent', 'Ärger'],
    ['the same elsewhere', 'Ärger', 'Other', null],
    ['the same among the roots', 'Ärger', null, null],
    ['a root of the same', 'wurzel', null, 'Wurzel'],
    ['that of a root', 'Wurzel', 'Parent', null],
    ['its parent’s', 'Parent', 'Parent', null],
    ['a longer one', 'Ärgers', 'Parent', null],
    ['one without marks', 'Arger', 'Parent', null],
  ] as const)('of a sibling is taken, that of another group free: %s', async (_case, name, parent, clash) => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Parent: {},
      Other: {},
      Sibling: { name: 'Ärger', parent: 'Parent' },
      Root: { name: 'Wurzel' },
      Group: {},
    });
    const parentGroupId = parent === null ? null : ids[parent];
    const expected = clash === null ? 'done' : taken(clash);
    expect(await refusal(updateGroup(directory, { id: ids.Group, name, parentGroupId }))).toEqual(expected);
    await deleteGroup(directory, { id: ids.Group });
    expect(await refusal(createGroup(directory, { tenantId, name, parentGroupId }))).toEqual(expected);
  });

  test('of a deleted group, or of one of another tenant, is free', async () => {
    await createWorld(db, { Taken: {} });
    const { tenantId, directory, ids } = await createWorld(db, { Gone: {} });
    await deleteGroup(directory, { id: ids.Gone });
    for (const name of ['Taken', 'Gone']) {
      expect(await refusal(createGroup(directory, { tenantId, name }))).toBe('done');
    }
  });

  test('can change in case alone, and be given again to the same group', async () => {
    const { directory, ids } = await createWorld(db, { Group: { name: 'Cafe\u0301' } });
    const { group } = await updateGroup(directory, { id: ids.Group, name: 'CAFÉ' });
    expect([group.name, group.version]).toEqual(['CAFÉ', 4]);
    expect((await storedOf(ids.Group)).name_key).toBe('café');
    const same = await updateGroup(directory, { id: ids.Group, name: 'CAFÉ' });
    expect(same.group.version).toBe(4);
    const padded = await updateGroup(directory, { id: ids.Group, name: ' CAFÉ ' });
    expect([padded.group.name, (await storedOf(ids.Group)).name_key]).toEqual([' CAFÉ ', 'café']);
  });
});

describe('fields', () => {
  const nested = (levels: number): object => (levels === 1 ? {} : { a: nested(levels - 1) });
  const lists = (levels: number): unknown => (levels === 1 ? [] : [lists(levels - 1)]);
  /** An object of exactly so many bytes as JSON. */
  const sized = (bytes: number, unit = 'x') => {
    const room = bytes - '{"a":""}'.length;
    const size = Buffer.byteLength(unit);
    return { a: unit.repeat(Math.floor(room / size)) + 'x'.repeat(room % size) };
  };
  const BYTES = 16 * 1_024;
  const MANY = 'must have at most 16384 bytes as JSON';
  const DEEP = 'must have at most 8 levels';
  const HALF = 'must not contain NUL or lone surrogates';
  const NO_OBJECT = 'must be a JSON object';
  const NUMBERS = 'must not contain numbers beyond double precision';

  test.each<[string, object, [string, string] | null]>([
    ['a description of 4,096 characters', { description: 'x'.repeat(4_096) }, null],
    ['one of 4,096 characters of two units', { description: '🦊'.repeat(4_096) }, null],
    [
      'one of 4,097 characters',
      { description: 'x'.repeat(4_097) },
      ['description', 'must have at most 4096 characters'],
    ],
    ['one of several lines', { description: ' a\r\n\tb\u2028c\u2029\n' }, null],
    ...['\u0001', '\v', '\u001f', '\u007f', '\u0085'].map((control): [string, object, [string, string]] => [
      `one with ${JSON.stringify(control)}`,
      { description: `a${control}b` },
      ['description', 'must not contain control characters but tabs and line breaks'],
    ]),
    ['an empty one', { description: '' }, null],
    ['one with NUL', { description: 'a\0' }, ['description', HALF]],
    ['one with half a character', { description: '\udd8a' }, ['description', HALF]],
    [
      'one that is no text',
      { description: 1 },
      ['description', 'Invalid input: expected string, received number'],
    ],
    ['attributes of 16 KiB', { customAttributes: sized(BYTES) }, null],
    ['attributes of 16 KiB in several bytes a character', { customAttributes: sized(BYTES, '€') }, null],
    ['attributes of a byte more', { customAttributes: sized(BYTES + 1) }, ['customAttributes', MANY]],
    [
      'attributes of a byte more, of fewer characters',
      { customAttributes: sized(BYTES + 1, '€') },
      ['customAttributes', MANY],
    ],
    ['attributes of 8 levels', { customAttributes: nested(8) }, null],
    ['attributes of 9 levels', { customAttributes: nested(9) }, ['customAttributes', DEEP]],
    ['attributes of 8 levels with lists', { customAttributes: { b: 1, a: lists(7), c: [] } }, null],
    [
      'attributes of 9 levels with lists',
      { customAttributes: { b: [1], a: lists(8), c: {} } },
      ['customAttributes', DEEP],
    ],
    ['attributes far too deep', { customAttributes: nested(5_000) }, ['customAttributes', DEEP]],
    ['no attributes', { customAttributes: {} }, null],
    ['attributes that are a list', { customAttributes: [] }, ['customAttributes', NO_OBJECT]],
    ['attributes that are a text', { customAttributes: 'a' }, ['customAttributes', NO_OBJECT]],
    [
      'attributes with NUL in a value',
      { customAttributes: { a: [{ b: 'x\0' }] } },
      ['customAttributes', HALF],
    ],
    ['attributes with NUL in a key', { customAttributes: { a: { 'x\0': 1 } } }, ['customAttributes', HALF]],
    ['attributes with half a character', { customAttributes: { a: ['\ud83d'] } }, ['customAttributes', HALF]],
    [
      'attributes with infinity',
      { customAttributes: { a: [0, { b: Infinity }] } },
      ['customAttributes', NUMBERS],
    ],
    [
      'attributes with an integer beyond 2^53',
      { customAttributes: { a: 2 ** 53 } },
      ['customAttributes', NUMBERS],
    ],
    ['attributes with one far below', { customAttributes: { a: [-1e21] } }, ['customAttributes', NUMBERS]],
    ['attributes with no number', { customAttributes: { a: Number.NaN } }, ['customAttributes', NUMBERS]],
    [
      'all kinds of values',
      {
        customAttributes: {
          a: [null, true, -1.5e-300, 'é\n', {}, Number.MIN_SAFE_INTEGER],
          '': 0,
          'a.b': { a: [] },
        },
      },
      null,
    ],
  ])('%s', async (_case, fields, fault) => {
    const { tenantId, directory, ids } = await createWorld(db, { Group: {} });
    const expected = fault === null ? 'done' : invalid(fault);
    expect(await refusal(createGroup(directory, { tenantId, name: 'New', ...fields }))).toEqual(expected);
    expect(await refusal(updateGroup(directory, { id: ids.Group, ...fields }))).toEqual(expected);
    if (fault === null)
      expect(await findGroup(directory, ids.Group)).toMatchObject({ ...fields, version: 4 });
  });

  test.each<[string, object, [string, string]]>([
    [
      'an unknown type',
      { type: 'TEAM' },
      ['type', 'Invalid option: expected one of "SECURITY"|"DISTRIBUTION"'],
    ],
    [
      'a parent of another kind',
      { parentGroupId: 'tnt_1' },
      ['parentGroupId', 'must be a group id, such as grp_ followed by letters and digits'],
    ],
    [
      'members that are no list',
      { initialMemberIds: 'usr_1' },
      ['initialMemberIds', 'Invalid input: expected array, received string'],
    ],
  ])('%s is refused', async (_case, fields, fault) => {
    const { tenantId, directory } = await createWorld(db, {});
    expect(await refusal(createGroup(directory, { tenantId, name: 'New', ...fields } as never))).toEqual(
      invalid(fault),
    );
  });

  test('of both kinds of faults are told together, and an input that is none is refused as a whole', async () => {
    const { directory, ids } = await createWorld(db, { Group: {} });
    const update = (input: unknown) => refusal(updateGroup(directory, input as never));
    expect(
      await update({
        id: ids.Group,
        expectedVersion: 0,
        description: '\0',
        customAttributes: { a: '\0', b: Infinity },
      }),
    ).toEqual(
      invalid(
        ['description', HALF],
        ['customAttributes', HALF],
        ['customAttributes', NUMBERS],
        ['expectedVersion', 'Too small: expected number to be >=1'],
      ),
    );
    expect(await update(null)).toEqual({
      code: 'VALIDATION_FAILED',
      message: 'Invalid input: expected object, received null',
      details: { fields: [{ path: [], message: 'Invalid input: expected object, received null' }] },
    });
  });
});

describe('an update', () => {
  const ATTRIBUTES = { b: { y: 1, x: [1, 2] }, a: null };
  /** A group with every field, below A; and B beside. */
  async function createFull() {
    const world = await createWorld(db, { A: {}, B: {}, Group: { parent: 'A', members: [0] } }, 1);
    await db.sql(Prisma.sql`
      update groups set description = 'Old words', search_key = 'group' || chr(10) || 'old words', type = 'DISTRIBUTION',
        custom_attributes = ${JSON.stringify(ATTRIBUTES)}::text::jsonb
      where id = ${world.ids.Group}`);
    const before = (await findGroup(world.directory, world.ids.Group))!;
    return { ...world, before, id: world.ids.Group };
  }
  const FULL = {
    name: 'Group',
    description: 'Old words',
    type: 'DISTRIBUTION',
    customAttributes: ATTRIBUTES,
  };

  test.each<[string, (ids: Record<'A' | 'B', string>) => object, string[], string[]]>([
    ['the name', () => ({ name: 'Other' }), ['name'], ['other', 'old words']],
    ['the description', () => ({ description: 'New words' }), ['description'], ['group', 'new words']],
    ['the description, to null', () => ({ description: null }), ['description'], ['group']],
    ['the description, to nothing', () => ({ description: '' }), ['description'], ['group']],
    ['the parent', ({ B }) => ({ parentGroupId: B }), ['parentGroupId'], ['group', 'old words']],
    ['the parent, to null', () => ({ parentGroupId: null }), ['parentGroupId'], ['group', 'old words']],
    [
      'the attributes, whole',
      () => ({ customAttributes: { c: 1 } }),
      ['customAttributes'],
      ['group', 'old words'],
    ],
    [
      'the attributes, to null',
      () => ({ customAttributes: null }),
      ['customAttributes'],
      ['group', 'old words'],
    ],
    [
      'the attributes, to none',
      () => ({ customAttributes: {} }),
      ['customAttributes'],
      ['group', 'old words'],
    ],
    [
      'the attributes’ order',
      () => ({ customAttributes: { ...ATTRIBUTES, b: { x: [2, 1], y: 1 } } }),
      ['customAttributes'],
      ['group', 'old words'],
    ],
    [
      'everything',
      ({ B }) => ({ customAttributes: { d: 1 }, parentGroupId: B, description: 'd', name: 'n' }),
      ['name', 'description', 'parentGroupId', 'customAttributes'],
      ['n', 'd'],
    ],
  ])(
    'of %s changes that alone, raises the version by one, and tells what it was',
    async (_case, change, changed, searchable) => {
      const { tenantId, directory, ids, before, id } = await createFull();
      const fields = change(ids);
      const { group, previousParentId, position } = await updateGroup(directory, { id, ...fields });
      expect(position).toBe(1);
      expect(await positionOf(db, tenantId)).toBe(1);
      expect(group).toEqual({ ...before, ...fields, version: 4, updatedAt: expect.any(Date) });
      expect(group.updatedAt.getTime()).toBeGreaterThan(before.updatedAt!.getTime());
      expect(previousParentId).toBe(changed.includes('parentGroupId') ? ids.A : null);
      expect(await findGroup(directory, id)).toEqual({ ...before, ...group });
      expect(await storedOf(id)).toMatchObject({
        name_key: group.name.toLowerCase(),
        search_key: searchable.join('\n'),
        created_at: before.createdAt,
        member_count: 1,
      });
      for (const words of searchable) expect(await found(directory, words)).toEqual([group.name]);
      if (!searchable.includes('old words')) expect(await found(directory, 'old words')).toEqual([]);
      const old = { ...FULL, parentGroupId: ids.A };
      expect(await eventsOf(db, tenantId)).toEqual([
        {
          type: 'group.updated',
          group: group.name,
          actor: ADMIN,
          data: { changed, before: old, after: { ...old, ...fields } },
        },
      ]);
      const { A, B } = await groupsOf(db, tenantId);
      expect([A, B]).toEqual(
        Array(2).fill({ parent: null, version: 3, touched: false, deleted: false, members: 0 }),
      );
    },
  );

  test.each<[string, (ids: Record<'A' | 'B', string>) => object]>([
    ['of nothing', () => ({})],
    [
      'of what is undefined',
      () => ({
        name: undefined,
        description: undefined,
        parentGroupId: undefined,
        customAttributes: undefined,
      }),
    ],
    ['to the same name', () => ({ name: 'Group' })],
    ['to the same description', () => ({ description: 'Old words' })],
    ['to the same parent', ({ A }) => ({ parentGroupId: A })],
    [
      'to the same attributes in another order',
      () => ({ customAttributes: { a: null, b: { x: [1, 2], y: 1 } } }),
    ],
    ['to another type, which is fixed', () => ({ type: 'SECURITY' })],
    ['to all that it is, at its version', ({ A }) => ({ ...FULL, parentGroupId: A, expectedVersion: 3 })],
  ])('%s leaves version, time and position, and writes nothing down', async (_case, change) => {
    const { tenantId, directory, ids, before, id } = await createFull();
    expect(await updateGroup(directory, { id, ...change(ids) })).toEqual({
      group: before,
      previousParentId: null,
      position: 0,
    });
    expect(await positionOf(db, tenantId)).toBe(0);
    expect(await findGroup(directory, id)).toEqual(before);
    expect((await groupsOf(db, tenantId)).Group).toMatchObject({ version: 3, touched: false });
    expect(await eventsOf(db, tenantId)).toEqual([]);
  });

  test('is refused for a version that is not the group’s, even if it would change nothing', async () => {
    const { tenantId, directory, ids, id } = await createFull();
    const update = (more: object) => refusal(updateGroup(directory, { id, ...more }));
    const conflict = (currentVersion: number) => ({
      code: 'VERSION_CONFLICT',
      message: `The group has changed: its version is now ${currentVersion}`,
      details: { currentVersion },
    });
    for (const expectedVersion of [2, 4]) {
      expect(await update({ name: 'Other', expectedVersion })).toEqual(conflict(3));
      expect(await update({ parentGroupId: ids.B, expectedVersion })).toEqual(conflict(3));
      expect(await update({ expectedVersion })).toEqual(conflict(3));
    }
    expect(await eventsOf(db, tenantId)).toEqual([]);
    expect(await update({ parentGroupId: ids.B, expectedVersion: 3 })).toBe('done');
    expect(await update({ name: 'Other', expectedVersion: 3 })).toEqual(conflict(4));
    expect(await update({ name: 'Other', expectedVersion: null })).toBe('done');
    expect(await update({ expectedVersion: 5 })).toBe('done');
  });

  test('does not find what is hidden, deleted or unknown, and is refused to whom may only read', async () => {
    const { tenantId, partnerId, directory, users, ids } = await createWorld(
      db,
      { Group: { members: [0] }, Gone: {} },
      1,
    );
    await deleteGroup(directory, { id: ids.Gone });
    const elsewhere = await createTenant(db);
    const as = (caller: Parameters<typeof openDirectory>[1], id: string = ids.Group) =>
      refusal(updateGroup(openDirectory(db, caller), { id, name: 'Mine' }));
    expect(await as(tenantAdmin(tenantId), ids.Gone)).toEqual(notFound(ids.Gone));
    expect(await as(superAdmin, 'grp_unknown')).toEqual(notFound('grp_unknown'));
    expect(await as(tenantAdmin(elsewhere.tenantId))).toEqual(notFound(ids.Group));
    expect(await as(partnerAdmin(elsewhere.partnerId))).toEqual(notFound(ids.Group));
    expect(await as(plainUser(tenantId, 'usr_nobody' as never))).toEqual(notFound(ids.Group));
    expect(await as(plainUser(tenantId, users[0] as never))).toEqual(FORBIDDEN);
    expect(await as(service(tenantId, false))).toEqual(FORBIDDEN);
    expect(await as(platform(false))).toEqual(FORBIDDEN);
    expect(Object.keys(await groupsOf(db, tenantId)).sort()).toEqual(['Gone', 'Group']);
    expect(await as(partnerAdmin(partnerId))).toBe('done');
    expect((await eventsOf(db, tenantId)).map(({ type, actor }) => [type, actor])).toEqual([
      ['group.deleted', ADMIN],
      ['group.updated', 'user usr_partneradmin'],
    ]);
  });
});

describe('a place in the hierarchy', () => {
  test('is found among the live groups of the tenant alone', async () => {
    const { tenantId, directory, ids } = await createWorld(db, { Group: {}, Gone: {} });
    const foreign = await createWorld(db, { Foreign: {}, ForeignGone: {} });
    await deleteGroup(directory, { id: ids.Gone });
    await deleteGroup(foreign.directory, { id: foreign.ids.ForeignGone });
    const file = async (as: Directory, parentGroupId: string) => [
      await refusal(createGroup(as, { tenantId, name: 'New', parentGroupId })),
      await refusal(updateGroup(as, { id: ids.Group, parentGroupId })),
    ];
    const both = (expected: unknown) => [expected, expected];
    expect(await file(directory, ids.Gone)).toEqual(both(notFound(ids.Gone)));
    expect(await file(directory, 'grp_unknown')).toEqual(both(notFound('grp_unknown')));
    expect(await file(directory, foreign.ids.Foreign)).toEqual(both(notFound(foreign.ids.Foreign)));
    const root = openDirectory(db, superAdmin);
    expect(await file(root, foreign.ids.Foreign)).toEqual(both(otherTenant(foreign.ids.Foreign)));
    expect(await file(root, foreign.ids.ForeignGone)).toEqual(both(notFound(foreign.ids.ForeignGone)));
    expect(await eventsOf(db, tenantId)).toHaveLength(1);
  });

  test('below itself or its descendants is refused with the way down', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Root: {},
      A: { name: 'Alpha', parent: 'Root' },
      B: { name: 'Beta', parent: 'A' },
      C: { name: 'Gamma', parent: 'B' },
      D: { parent: 'B' },
    });
    const move = (id: string, parentGroupId: string) =>
      refusal(updateGroup(directory, { id, parentGroupId }));
    const [a, b, c] = [
      { id: ids.A, name: 'Alpha' },
      { id: ids.B, name: 'Beta' },
      { id: ids.C, name: 'Gamma' },
    ];
    const cycle = (...path: object[]) => ({
      code: 'CYCLE',
      message: `This would close a cycle: ${path.map((step) => (step as { name: string }).name).join(' → ')}`,
      details: { path },
    });
    expect(await move(ids.A, ids.A)).toEqual(cycle(a, a));
    expect(await move(ids.A, ids.B)).toEqual(cycle(a, b, a));
    expect(await move(ids.A, ids.C)).toEqual(cycle(a, b, c, a));
    expect(await eventsOf(db, tenantId)).toEqual([]);
    // Up and sideways are no cycles.
    expect(await move(ids.C, ids.A)).toBe('done');
    expect(await move(ids.C, ids.D)).toBe('done');
  });

  test.each([
    [31, 1, 'done'],
    [32, 1, tooDeep(33)],
    [30, 2, 'done'],
    [31, 2, tooDeep(33)],
    [1, 31, 'done'],
    [1, 32, tooDeep(33)],
    [32, 32, tooDeep(64)],
  ])('below %i levels with %i levels of its own', async (above, own, expected) => {
    const { tenantId, directory, ids } = await createWorld(db, {
      ...chain('A', above, 'parent'),
      ...chain('B', own, 'parent'),
    });
    const id = (level: string) => (ids as Record<string, string>)[level]!;
    const parentGroupId = id(`A${String(above).padStart(2, '0')}`);
    expect(await refusal(updateGroup(directory, { id: id('B01'), parentGroupId }))).toEqual(expected);
    expect((await groupsOf(db, tenantId)).B01!.version).toBe(expected === 'done' ? 4 : 3);
  });

  test('is judged by the longest way down', async () => {
    const { directory, ids } = await createWorld(db, {
      ...chain('A', 30, 'parent'),
      Group: {},
      Child1: { parent: 'Group' },
      Child2: { parent: 'Group' },
      Grandchild: { parent: 'Child1' },
    });
    const parentGroupId = (ids as Record<string, string>).A30!;
    expect(await refusal(updateGroup(directory, { id: ids.Group, parentGroupId } as never))).toEqual(
      tooDeep(33),
    );
  });

  test.each([
    [31, 'done'],
    [32, tooDeep(33)],
  ])('for a new group below %i levels', async (above, expected) => {
    const { tenantId, directory, ids } = await createWorld(db, chain('A', above, 'parent'));
    const parentGroupId = (ids as Record<string, string>)[`A${above}`]!;
    expect(await refusal(createGroup(directory, { tenantId, name: 'New', parentGroupId }))).toEqual(expected);
  });

  test('is not judged by groups below that are deleted', async () => {
    const { directory, ids } = await createWorld(db, {
      ...chain('A', 31, 'parent'),
      Group: {},
      Child: { parent: 'Group' },
    });
    const all = ids as Record<string, string>;
    await deleteGroup(directory, { id: all.Child! });
    expect(await refusal(updateGroup(directory, { id: all.Group!, parentGroupId: all.A31! }))).toBe('done');
  });

  test('is told as where the group was before, for a move only', async () => {
    const { directory, ids } = await createWorld(db, { A: {}, B: {}, Group: {} });
    const move = async (parentGroupId: string | null) =>
      (await updateGroup(directory, { id: ids.Group, parentGroupId })).previousParentId;
    expect(await move(ids.A)).toBeNull();
    expect(await move(ids.B)).toBe(ids.A);
    expect(await move(ids.B)).toBeNull();
    expect(await move(null)).toBe(ids.B);
    expect((await updateGroup(directory, { id: ids.Group, name: 'Renamed' })).previousParentId).toBeNull();
  });

  test('with a name that is taken there is refused, unless the group is renamed in the same call', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Parent: {},
      Taken: { name: 'group', parent: 'Parent' },
      Group: {},
    });
    const move = (more: object = {}) =>
      refusal(updateGroup(directory, { id: ids.Group, parentGroupId: ids.Parent, ...more }));
    expect(await move()).toEqual(taken('group'));
    expect(await move({ description: 'd' })).toEqual(taken('group'));
    expect((await groupsOf(db, tenantId)).Group).toMatchObject({ parent: null, version: 3 });
    expect(await move({ name: 'Free' })).toBe('done');
    // The way back is barred by who took the name meanwhile.
    await createGroup(directory, { tenantId, name: 'FREE' });
    expect(await refusal(updateGroup(directory, { id: ids.Group, parentGroupId: null }))).toEqual(
      taken('FREE'),
    );
  });
});

describe('a change that waits for another of the tenant', () => {
  test('finds the name taken, the parent gone or at the deepest level', async () => {
    const { tenantId, directory, ids } = await createWorld(db, {
      Group: {},
      Parent: {},
      Gone: {},
      ...chain('A', 31, 'parent'),
    });
    const all = ids as Record<string, string>;
    const create = (name: string, parentGroupId: string | null) => () =>
      createGroup(directory, { tenantId, name, parentGroupId });
    const move = (parentGroupId: string) => () => updateGroup(directory, { id: all.Group!, parentGroupId });
    const after = (change: Sql, work: () => Promise<unknown>) =>
      behind(db, [holdGraph(tenantId), change], work);
    const add = (id: string) => Prisma.sql`
      insert into groups (id, tenant_id, name, name_key, search_key) values (${id}, ${tenantId}, ${id}, lower(${id}), '')`;
    const file = (id: string, parent: string) =>
      Prisma.sql`update groups set parent_group_id = ${parent} where id = ${id}`;
    expect(await after(add(`grp_new${tenantId}`), create(`GRP_NEW${tenantId}`, null))).toEqual(
      taken(`grp_new${tenantId}`),
    );
    expect(await after(markDeleted(all.Gone!), create('New', all.Gone!))).toEqual(notFound(all.Gone!));
    expect(await after(file(all.A01!, all.Parent!), create('New', all.A31!))).toEqual(tooDeep(33));
    expect(await after(file(all.Parent!, all.Group!), move(all.Parent!))).toMatchObject({ code: 'CYCLE' });
    expect(await after(markDeleted(all.Parent!), move(all.Parent!))).toEqual(notFound(all.Parent!));
  });

  test('finds the group gone, or at its next version', async () => {
    const { tenantId, directory, ids } = await createWorld(db, { Group: {}, Gone: {} });
    const update = (id: string) => () => updateGroup(directory, { id, name: 'New', expectedVersion: 3 });
    const after = (change: Sql, id: string) => behind(db, [holdGraph(tenantId), change], update(id));
    expect(await after(markDeleted(ids.Gone), ids.Gone)).toEqual(notFound(ids.Gone));
    const raise = Prisma.sql`update groups set version = version + 1 where id = ${ids.Group}`;
    expect(await after(raise, ids.Group)).toMatchObject({ details: { currentVersion: 4 } });
    expect(await eventsOf(db, tenantId)).toEqual([]);
  });

  test('does not wait for groups that it has nothing to do with', async () => {
    const { tenantId, directory, ids } = await createWorld(db, { Parent: {}, Group: {}, Other: {} });
    await db.transaction(async (sql) => {
      await sql(Prisma.sql`select id from groups where id = ${ids.Other} for update`);
      await createGroup(directory, { tenantId, name: 'New', parentGroupId: ids.Parent });
      await updateGroup(directory, { id: ids.Group, parentGroupId: ids.Parent, name: 'Renamed' });
    });
    expect(Object.keys(await groupsOf(db, tenantId)).sort()).toEqual(['New', 'Other', 'Parent', 'Renamed']);
  });
});

// No change of schema.graphql breaks a client unnoticed: graphql-inspector compares it with the one that it replaces.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Change, CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';
import { describe, expect, test } from 'vitest';
import { schemaBase } from './support/schema-base.ts';

const read = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8');
const current = read('../schema.graphql');

/** Lines like `FIELD_REMOVED Viewer.id`; what follows a `#` is the reason. */
const accepted = new Set(
  read('accepted-changes.txt')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(Boolean),
);

const lineOf = ({ type, path }: Change) => `${type} ${path}`;

/** The changes that break clients or supergraphs, as lines. Federation's directives have no definition in the file. */
async function breaking(from: string, to: string): Promise<string[]> {
  const [before, after] = [from, to].map((sdl) => buildSchema(sdl, { assumeValidSDL: true }));
  const changes = await diff(before!, after!);
  return changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking).map(lineOf);
}

const base = schemaBase();

test.skipIf(base === null)(
  `schema.graphql breaks nothing since ${base?.revision ?? 'git knows no base'}`,
  async () => {
    const refused = (await breaking(base!.sdl, current)).filter((line) => !accepted.has(line));
    const help = `These changes break clients. To make one all the same, add its line and why to test/accepted-changes.txt:\n${refused.join('\n')}\n`;
    expect(refused, help).toEqual([]);
  },
);

describe('what counts as breaking', () => {
  const changed = (from: string | RegExp, to: string) => {
    const next = current.replace(from, to);
    expect(next).not.toBe(current);
    return breaking(current, next);
  };

  test.each([
    [
      'a field that goes',
      'hasNextPage: Boolean!',
      'hasNext: Boolean!',
      ['FIELD_REMOVED PageInfo.hasNextPage'],
    ],
    [
      'a field that becomes nullable',
      /(type Tenant [\s\S]*? slug: String)!/,
      '$1',
      ['FIELD_TYPE_CHANGED Tenant.slug'],
    ],
    [
      'an input that becomes required',
      /(input CreateGroupInput [\s\S]*?description: String)/,
      '$1!',
      ['INPUT_FIELD_TYPE_CHANGED CreateGroupInput.description'],
    ],
  ])('%s', async (_what, from, to, lines) => {
    expect(await changed(from, to)).toEqual(lines);
  });

  test('not what is added', async () => {
    expect(await changed('slug: String!', 'slug: String!\n  colour: String')).toEqual([]);
  });
});

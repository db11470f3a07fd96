// The scenarios of test/cases, run through each face: what a graph comes to does not depend on who asked.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { openDatabase } from '../src/database/open.ts';
import type { TenantId } from '../src/model/ids.ts';
import { createTenant, openAsAdmin } from './support/directories.ts';
import { domainFace, type Face, graphqlFace, restFace } from './support/faces.ts';
import { openTestDatabase, type TestDatabase } from './support/postgresql.ts';

type Given = Record<string, { name?: string; parent?: string; members?: string[]; nests?: string[] } | null>;
type Step = Record<string, unknown> & { refused?: string };
type Case = {
  case: string;
  given: Given;
  chain?: number;
  when?: Step[];
  then?: { effective?: Record<string, string[]>; path?: Record<string, string>; gone?: string[] };
};

const cases = parse(readFileSync(join(import.meta.dirname, 'cases/graphs.yaml'), 'utf8')) as Case[];
const USERS = ['ann', 'bob'];

let server: TestDatabase;
let embedded: Awaited<ReturnType<typeof openDatabase>>;
beforeAll(async () => {
  server = await openTestDatabase();
  embedded = await openDatabase({ dataDir: 'memory://' });
});
afterAll(async () => {
  await server.close();
  await embedded.close();
});

const FACES: Record<string, (tenantId: TenantId) => Promise<Face>> = {
  domain: async (tenantId) => domainFace(openAsAdmin(server.db, tenantId), tenantId),
  GraphQL: async (tenantId) => graphqlFace(server.db, tenantId),
  REST: async (tenantId) => restFace(server.db, tenantId),
  'domain on the embedded database': async (tenantId) =>
    domainFace(openAsAdmin(embedded, tenantId), tenantId),
};

describe.each(Object.keys(FACES))('%s', (faceName) => {
  test.each(cases.map((each) => [each.case, each] as const))('%s', async (_name, scenario) => {
    const db = faceName.includes('embedded') ? embedded : server.db;
    const { tenantId, userIds } = await createTenant(db, USERS.length);
    const face = await FACES[faceName]!(tenantId);
    const user = (name: string) => userIds[USERS.indexOf(name)]!;
    const ids = new Map<string, string>();
    const id = (name: string) => ids.get(name)!;

    const given: Given = { ...scenario.given };
    for (let level = 1; level <= (scenario.chain ?? 0); level += 1) {
      given[`Chain${level}`] = {
        ...(level > 1 && { parent: `Chain${level - 1}` }),
        ...(level === scenario.chain ? { members: ['ann'] } : { nests: [`Chain${level + 1}`] }),
      };
    }
    for (const [name, group] of Object.entries(given)) {
      ids.set(
        name,
        await face.create({
          name: group?.name ? `${group.name} for now` : name,
          members: (group?.members ?? []).map(user),
        }),
      );
    }
    for (const [name, group] of Object.entries(given)) {
      if (group?.parent) await face.update({ id: id(name), parent: id(group.parent) });
      if (group?.name) await face.update({ id: id(name), name: group.name });
      for (const child of group?.nests ?? []) await face.nest(id(name), id(child));
    }

    for (const step of scenario.when ?? []) {
      const work = run(step);
      if (step.refused === undefined) await work;
      else {
        const refusal = await work.then(
          () => ({ code: 'done', details: {} }),
          (error) => error as { code: string; details: Record<string, unknown> },
        );
        expect(refusal.code, JSON.stringify(step)).toBe(step.refused);
        const { path, counts, names } = refusal.details as {
          path?: { id: string }[];
          counts?: object;
          names?: string[];
        };
        if (step.path) expect(path?.map((at) => at.id)).toEqual((step.path as string[]).map(id));
        if (step.counts) expect(counts).toEqual(step.counts);
        if (step.names)
          expect(names?.map((name) => name.toLowerCase())).toEqual(
            (step.names as string[]).map((name) => name.toLowerCase()),
          );
      }
    }

    async function run(step: Step): Promise<unknown> {
      const [first, second] = (step.nest ?? step.unnest ?? step.move ?? []) as string[];
      if (step.nest) return face.nest(id(first!), id(second!));
      if (step.unnest) return face.unnest(id(first!), id(second!));
      if (step.move) return face.update({ id: id(first!), parent: id(second!) });
      if (step.delete) return face.delete(id(step.delete as string), step.strategy as string | undefined);
      if (step.restore) return face.restore(id(step.restore as string), step.descendants === true);
      if (step.create)
        return ids.set(step.create as string, await face.create({ name: step.name as string, members: [] }));
      throw new Error(`unknown step ${JSON.stringify(step)}`);
    }

    const { effective = {}, path = {}, gone = [] } = scenario.then ?? {};
    for (const [name, members] of Object.entries(effective)) {
      expect(await face.effectiveMembers(id(name)), name).toEqual(members.map(user).sort());
    }
    for (const [name, expected] of Object.entries(path))
      expect(await face.path(id(name)), name).toBe(expected);
    for (const name of gone) expect(await face.exists(id(name)), name).toBe(false);
  });
});

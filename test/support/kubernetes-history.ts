// How a real organisation came to be what it is, commit by commit: replayed by mutations, and what was true at moments in between.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Database } from '../../src/database/database.ts';
import { importDirectory } from '../../src/import/import-directory.ts';
import { readImportFile } from '../../src/import/read-file.ts';

const DATA = join(import.meta.dirname, '../../../shared/data');
const HISTORY = join(DATA, 'kubernetes-history.jsonl.gz');
const EXPECTED = join(DATA, 'kubernetes-history-expected.json');

export const isAbsent = !existsSync(HISTORY);
if (isAbsent) console.warn(`skipped: ${HISTORY} is not there`);

type Operation = { kind: string; tenantId: string; groupId: string; id: string } & Record<string, unknown>;
export type Line = { at: string; commit: string; operations: Operation[] };
type Answer = { at: string; commit: string; count: number; sha256: string };
type Expected = {
  partners: object[];
  tenants: { id: string }[];
  effectiveMembers: (Answer & {
    groupId: string;
    name: string;
    description: string | null;
    parentGroupId: string | null;
  })[];
  effectiveGroups: (Answer & { userId: string })[];
  absentGroups: { groupId: string; at: string; commit: string }[];
};

export const readHistory = (): Line[] =>
  gunzipSync(readFileSync(HISTORY))
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

export const readExpected = (): Expected => JSON.parse(readFileSync(EXPECTED, 'utf8'));

/** The partners and tenants, which the history does not create. */
export async function importTenants(db: Database): Promise<void> {
  const { partners, tenants } = readExpected();
  const folder = mkdtempSync(join(tmpdir(), 'coterie-history-'));
  const file = join(folder, 'tenants.json');
  writeFileSync(file, JSON.stringify({ partners, tenants }));
  const report = await importDirectory(db, readImportFile(file));
  rmSync(folder, { recursive: true });
  if (report.faults.length > 0) throw new Error(report.faults.join('\n'));
}

/** Sorted by code unit, joined by newlines: as the expected digests were made. */
export const digest = (ids: readonly string[]): string =>
  createHash('sha256').update(ids.toSorted().join('\n')).digest('hex');

// biome-ignore lint/suspicious/noExplicitAny: the shape is the mutation's.
type Mutate = (query: string, variables: object) => Promise<any>;

/** Replays lines by mutations. New groups get ids of their own: `real` and `original` translate them. */
export class Replay {
  readonly #mutate: Mutate;
  readonly #ids = new Map<string, string>();
  readonly #originals = new Map<string, string>();
  readonly #tenants = new Map<string, string>();
  /** The position of each tenant's log after the lines so far. */
  readonly positions = new Map<string, string>();

  constructor(mutate: Mutate) {
    this.#mutate = mutate;
  }

  /** The group's id in the directory. One that was not created yet has none: an id that was never issued. */
  real = (id: string): string => this.#ids.get(id) ?? 'grp_neverissued00000';
  original = (id: string): string => this.#originals.get(id)!;
  tenantOf = (id: string): string => this.#tenants.get(id)!;

  async apply({ operations }: Line): Promise<void> {
    for (let at = 0; at < operations.length; ) {
      const { kind, tenantId } = operations[at]!;
      // Users in a row are created together.
      const end = operations.findIndex(
        (next, index) =>
          index > at && (kind !== 'createUser' || next.kind !== kind || next.tenantId !== tenantId),
      );
      const some = operations.slice(at, end < 0 ? undefined : end);
      await (kind === 'createUser' ? this.#createUsers(tenantId, some) : this.#change(some[0]!));
      at += some.length;
    }
  }

  async #createUsers(tenantId: string, operations: Operation[]): Promise<void> {
    const users = operations.map(({ id, email, displayName }) => ({ id, email, displayName }));
    for (const { id } of operations) this.#tenants.set(id, tenantId);
    await this.#send('upsertUsers', tenantId, { tenantId, users });
  }

  async #change(operation: Operation): Promise<void> {
    const { kind, name, description, userIds } = operation;
    const group = operation.groupId ?? operation.parentGroupId;
    const tenantId = operation.tenantId ?? this.#tenants.get(group);
    const id = this.#ids.get(group);
    const parentGroupId = operation.parentGroupId == null ? null : this.real(String(operation.parentGroupId));
    const child = { groupId: parentGroupId, childGroupId: this.real(String(operation.childGroupId)) };
    const inputs: Record<string, [mutation: string, input: object]> = {
      createGroup: [
        'createGroup',
        { tenantId, name, description, type: operation.groupType ?? 'SECURITY', parentGroupId },
      ],
      renameGroup: ['updateGroup', { id, name }],
      updateGroup: ['updateGroup', { id, description }],
      moveGroup: ['updateGroup', { id, parentGroupId }],
      deleteGroup: ['deleteGroup', { id }],
      addMembers: ['addGroupMembers', { groupId: id, userIds }],
      removeMembers: ['removeGroupMembers', { groupId: id, userIds }],
      nest: ['addNestedGroups', { groupId: parentGroupId, childGroupIds: [child.childGroupId] }],
      unnest: ['removeNestedGroup', child],
    };
    const [mutation, input] = inputs[kind]!;
    const payload = await this.#send(mutation, tenantId, input);
    if (kind === 'createGroup') {
      this.#ids.set(operation.id, payload.group.id);
      this.#originals.set(payload.group.id, operation.id);
      this.#tenants.set(operation.id, tenantId);
    }
  }

  async #send(mutation: string, tenantId: string, input: object) {
    const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}`;
    const selection = mutation === 'createGroup' ? 'position group { id }' : 'position';
    const text = `mutation ($input: ${type}Input!) { ${mutation}(input: $input) {
      ... on ${type}Payload { ${selection} } ... on Error { message } } }`;
    const { [mutation]: payload } = await this.#mutate(text, { input });
    if (payload.message !== undefined)
      throw new Error(`${mutation} ${JSON.stringify(input)}: ${payload.message}`);
    this.positions.set(tenantId, payload.position);
    return payload;
  }
}

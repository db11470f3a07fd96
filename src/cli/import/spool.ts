// Sorts the rows of a source by tenant, into one temporary file each, so that a tenant can be loaded as a whole.
import { createReadStream } from 'node:fs';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isSection, type Rows, SECTIONS, type Section, type Source } from './rows.ts';

/** Bytes held back for a tenant's file before they are written. */
const BUFFER = 256 * 1_024;

export type TenantRows = { [Name in Exclude<Section, 'partners' | 'tenants'>]: Rows[Name][] };
export type Spooled = {
  partners: Rows['partners'][];
  tenants: Rows['tenants'][];
  /** Faults of rows, by the tenant they belong to; '' for those that belong to none. */
  faults: Map<string, string[]>;
  rowCount: number;
  read(tenantId: string): Promise<TenantRows>;
  remove(): Promise<void>;
};

/** Reads the source once. In memory stay partners, tenants and the ids of groups, to find the tenant of their edges. */
export async function spool(source: Source): Promise<Spooled> {
  const directory = await mkdtemp(join(tmpdir(), 'coterie-import-'));
  const partners: Rows['partners'][] = [];
  const tenants: Rows['tenants'][] = [];
  const tenantOfGroup = new Map<string, string>();
  const faults = new Map<string, string[]>();
  const buffers = new Map<string, string[]>();
  let held = 0;
  let rowCount = 0;
  const fail = (tenantId: string, message: string) => {
    faults.set(tenantId, [...(faults.get(tenantId) ?? []), message]);
  };
  const flush = async () => {
    for (const [tenantId, lines] of buffers) await appendFile(join(directory, tenantId), lines.join(''));
    buffers.clear();
    held = 0;
  };
  const keep = async (tenantId: string, section: Section, row: unknown) => {
    const line = `${oneLine([section, row])}\n`;
    const lines = buffers.get(tenantId);
    if (lines) lines.push(line);
    else buffers.set(tenantId, [line]);
    held += line.length;
    if (held > BUFFER) await flush();
  };
  for await (const { section, index, row } of source) {
    if (!isSection(section)) continue;
    rowCount += 1;
    const place = `${section}[${index}]`;
    const result = SECTIONS[section].safeParse(row);
    // Also where the row is at fault: it is in the file, and so its edges are in its tenant.
    if (section === 'groups') tenantOfGroup.set(String(Object(row).id), tenantOf(row, tenantOfGroup));
    if (!result.success) {
      const messages = result.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
      fail(tenantOf(row, tenantOfGroup), `${place}: ${messages.join('; ')}`);
      continue;
    }
    if (section === 'partners') partners.push(result.data as Rows['partners']);
    else if (section === 'tenants') tenants.push(result.data as Rows['tenants']);
    else {
      const tenantId = tenantOf(result.data, tenantOfGroup);
      if (tenantId === '') fail('', `${place}: its group is not in the file`);
      else await keep(tenantId, section, result.data);
    }
  }
  await flush();
  return {
    partners,
    tenants,
    faults,
    rowCount,
    read: (tenantId) => readTenant(join(directory, tenantId)),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** JSON without what readline takes for the end of a line beside `\n`: U+2028 and U+2029 stand in it as they are. */
const oneLine = (value: unknown): string =>
  JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');

/** The tenant that a row names, or that of the group whose edge it is; '' for none. */
function tenantOf(row: unknown, tenantOfGroup: Map<string, string>): string {
  const { tenantId, groupId, parentGroupId } = Object(row) as Record<string, unknown>;
  if (typeof tenantId === 'string') return tenantId;
  return tenantOfGroup.get(String(groupId ?? parentGroupId)) ?? '';
}

async function readTenant(path: string): Promise<TenantRows> {
  const rows: TenantRows = { users: [], groups: [], memberships: [], nestings: [] };
  try {
    for await (const line of createInterface({ input: createReadStream(path) })) {
      const [section, row] = JSON.parse(line) as [keyof TenantRows, never];
      rows[section].push(row);
    }
  } catch (error) {
    // A tenant without users and groups has no file.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return rows;
}

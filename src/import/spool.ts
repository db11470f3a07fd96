// Splits the rows of a source by tenant into temporary files, so that one tenant at a time fits into memory.
import { createReadStream } from 'node:fs';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { isSection, type Rows, SECTIONS, type Section, type Source, type SourceRow } from './rows.ts';

/** Characters buffered before they are appended to the files: few writes, and little memory however many tenants. */
const MAX_BUFFERED = 256 * 1_024;

type TenantSection = Exclude<Section, 'partners' | 'tenants'>;
export type TenantRows = { [Name in TenantSection]: Rows[Name][] };
export type Spooled = {
  partners: Rows['partners'][];
  tenants: Rows['tenants'][];
  /** Faults of rows, by tenant. */
  tenantFaults: Map<string, string[]>;
  /** Faults of rows and sections that belong to no tenant of the source. */
  rootFaults: string[];
  /** Unknown keys of the source that hold no rows. */
  skipped: string[];
  read(tenantId: string): Promise<TenantRows>;
  remove(): Promise<void>;
};

/**
 * Reads the source once; sections and rows may come in any order. Memory holds only the partners, the tenants and the ids
 * of groups, which tell the tenant of an edge. The caller must call `remove` at the end.
 */
export async function spool(source: Source): Promise<Spooled> {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-import-'));
  const sorter = new Sorter(folder);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    for await (const row of source) {
      sorter.take(row);
      if (sorter.files.isFull) await sorter.files.flush();
    }
    return { ...(await sorter.finish()), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** An edge whose group has not been read yet; it may be faulty itself. */
type PendingEdge = {
  section: TenantSection;
  place: string;
  groupId: string;
  row: unknown;
  fault: string | null;
};
/** The key of the file of pending edges: no tenant has an empty id. */
const PENDING = '';

class Sorter {
  readonly files: LineFiles;
  private readonly partners = new Map<string, Rows['partners']>();
  private readonly tenants = new Map<string, Rows['tenants']>();
  private readonly tenantOfGroup = new Map<string, string>();
  private readonly tenantFaults = new Map<string, string[]>();
  private readonly rootFaults: string[] = [];
  private readonly skipped: string[] = [];
  /** The number of rows of each tenant, and the position of the first. */
  private readonly rowsOfTenant = new Map<string, { first: string; count: number }>();
  /** The number of rows of each unknown section. */
  private readonly unknownSections = new Map<string, number>();
  private isEmpty = true;

  constructor(folder: string) {
    this.files = new LineFiles(folder);
  }

  take({ section, index, row, fault }: SourceRow): void {
    if (!isSection(section)) {
      if (index === null) this.skipped.push(section);
      else this.unknownSections.set(section, (this.unknownSections.get(section) ?? 0) + 1);
      return;
    }
    this.isEmpty = false;
    if (index === null) {
      this.rootFaults.push(`${section} must be an array`);
      return;
    }
    const place = `${section}[${index}]`;
    const result = SECTIONS[section].safeParse(row);
    const message = fault ?? (result.success ? null : result.error.issues.map(issueText).join('; '));
    if (section === 'groups') this.takeGroup(place, row);
    if (section === 'partners' || section === 'tenants') {
      if (message !== null) this.rootFaults.push(`${place}: ${message}`);
      else if (section === 'partners') this.takePartner(place, result.data as Rows['partners']);
      else this.takeTenant(place, result.data as Rows['tenants']);
      return;
    }
    const { tenantId, groupId, parentGroupId } = Object(row) as Record<string, unknown>;
    const group = groupId ?? parentGroupId;
    const isEdge = section === 'memberships' || section === 'nestings';
    if (isEdge && typeof group === 'string' && !this.tenantOfGroup.has(group)) {
      this.files.write(PENDING, { section, place, groupId: group, row: result.data, fault: message });
      return;
    }
    const owner = isEdge ? this.tenantOfGroup.get(String(group)) : tenantId;
    this.sort(section, place, typeof owner === 'string' ? owner : null, result.data, message);
  }

  async finish(): Promise<Omit<Spooled, 'remove'>> {
    await this.files.flush();
    for await (const edge of this.files.read(PENDING)) {
      const { section, place, groupId, row, fault } = edge as PendingEdge;
      const owner = this.tenantOfGroup.get(groupId);
      if (owner === undefined) this.rootFaults.push(`${place}: ${fault ?? 'its group is not in the file'}`);
      else this.sort(section, place, owner, row, fault);
      if (this.files.isFull) await this.files.flush();
    }
    await this.files.flush();
    this.reportUnstored();
    const { files, tenantFaults, rootFaults, skipped } = this;
    return {
      partners: [...this.partners.values()],
      tenants: [...this.tenants.values()],
      tenantFaults,
      rootFaults,
      skipped,
      async read(tenantId) {
        const rows: TenantRows = { users: [], groups: [], memberships: [], nestings: [] };
        for await (const line of files.read(tenantId)) {
          const [section, row] = line as [TenantSection, never];
          rows[section].push(row);
        }
        return rows;
      },
    };
  }

  private sort(
    section: TenantSection,
    place: string,
    tenantId: string | null,
    row: unknown,
    fault: string | null,
  ): void {
    if (tenantId === null) {
      this.rootFaults.push(`${place}: ${fault ?? 'it has no tenant'}`);
      return;
    }
    const rows = this.rowsOfTenant.get(tenantId);
    if (rows) rows.count += 1;
    else this.rowsOfTenant.set(tenantId, { first: place, count: 1 });
    if (fault !== null) this.fail(tenantId, `${place}: ${fault}`);
    else this.files.write(tenantId, [section, row]);
  }

  /** Stores the tenant of a group even if the row is faulty, because the group's edges belong to that tenant. */
  private takeGroup(place: string, row: unknown): void {
    const { id, tenantId } = Object(row) as Record<string, unknown>;
    if (typeof id !== 'string' || typeof tenantId !== 'string') return;
    const other = this.tenantOfGroup.get(id);
    if (other === undefined) this.tenantOfGroup.set(id, tenantId);
    else if (other !== tenantId) {
      // The tenant of its edges is ambiguous.
      this.fail(other, `${place}: group ${id} also belongs to ${tenantId} in the file`);
      this.fail(tenantId, `${place}: group ${id} also belongs to ${other} in the file`);
    }
  }

  private takePartner(place: string, partner: Rows['partners']): void {
    if (isDifferent(this.partners.get(partner.id), partner))
      this.rootFaults.push(`${place}: partner ${partner.id} is in the file twice, with different values`);
    else this.partners.set(partner.id, partner);
  }

  private takeTenant(place: string, tenant: Rows['tenants']): void {
    if (isDifferent(this.tenants.get(tenant.id), tenant))
      this.fail(tenant.id, `${place}: tenant ${tenant.id} is in the file twice, with different values`);
    else this.tenants.set(tenant.id, tenant);
  }

  /** Reports rows whose tenant is not in the file, and unknown sections. */
  private reportUnstored(): void {
    for (const [tenantId, { first, count }] of this.rowsOfTenant) {
      if (this.tenants.has(tenantId)) continue;
      for (const fault of this.tenantFaults.get(tenantId) ?? []) this.rootFaults.push(fault);
      const more = count > 1 ? ` and ${count - 1} more` : '';
      this.rootFaults.push(`${first}${more}: tenant ${tenantId} is not in the file, or is not valid`);
    }
    for (const [section, count] of this.unknownSections) {
      this.rootFaults.push(`${section}: unknown section; its ${count} rows are not stored`);
    }
    if (this.isEmpty)
      this.rootFaults.push(`The file has none of the sections ${Object.keys(SECTIONS).join(', ')}`);
  }

  private fail(tenantId: string, message: string): void {
    const faults = this.tenantFaults.get(tenantId);
    if (faults) faults.push(message);
    else this.tenantFaults.set(tenantId, [message]);
  }
}

/** Whether a row with the same id was read before, with other values. */
const isDifferent = (before: object | undefined, row: object) =>
  before !== undefined && !isDeepStrictEqual(before, row);

const issueText = ({ path, message }: { path: PropertyKey[]; message: string }) =>
  path.length === 0 ? message : `${path.join('.')} ${message}`;

/** Files of JSON lines, one per key; writes are buffered. */
class LineFiles {
  private readonly folder: string;
  /** Files are named by number, because ids may differ by case only and some file systems ignore case. */
  private readonly numbers = new Map<string, number>();
  private readonly buffers = new Map<string, string[]>();
  private buffered = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  get isFull(): boolean {
    return this.buffered > MAX_BUFFERED;
  }

  write(key: string, value: unknown): void {
    const line = `${oneLine(value)}\n`;
    const lines = this.buffers.get(key);
    if (lines) lines.push(line);
    else this.buffers.set(key, [line]);
    this.buffered += line.length;
  }

  async flush(): Promise<void> {
    for (const [key, lines] of this.buffers) {
      if (!this.numbers.has(key)) this.numbers.set(key, this.numbers.size);
      await appendFile(this.path(key), lines.join(''));
    }
    this.buffers.clear();
    this.buffered = 0;
  }

  async *read(key: string): AsyncGenerator<unknown> {
    if (!this.numbers.has(key)) return;
    for await (const line of createInterface({ input: createReadStream(this.path(key)) })) {
      yield JSON.parse(line);
    }
  }

  private path(key: string): string {
    return join(this.folder, String(this.numbers.get(key)));
  }
}

/** JSON on one line. Escapes U+2028 and U+2029, which JSON allows unescaped and readline takes for line ends. */
const oneLine = (value: unknown): string =>
  JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');

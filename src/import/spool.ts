// Sorts the rows of a source by tenant, into one temporary file each, so that a tenant can be loaded as a whole.
import { createReadStream } from 'node:fs';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import { isSection, type Rows, SECTIONS, type Section, type Source, type SourceRow } from './rows.ts';

/** Characters held back before they are written to the files. */
const BUFFER = 256 * 1_024;

type TenantSection = Exclude<Section, 'partners' | 'tenants'>;
export type TenantRows = { [Name in TenantSection]: Rows[Name][] };
export type Spooled = {
  partners: Rows['partners'][];
  tenants: Rows['tenants'][];
  /** Faults of rows, by the tenant that they belong to. */
  faults: Map<string, string[]>;
  /** Faults of what belongs to no tenant of the source. */
  strays: string[];
  /** Keys of the source that hold no rows at all. */
  skipped: string[];
  read(tenantId: string): Promise<TenantRows>;
  remove(): Promise<void>;
};

/**
 * Reads the source once; its sections and rows may come in any order. In memory stay partners, tenants and the ids of groups, to
 * find the tenant of their edges.
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

/** An edge whose group has not been read yet; it may have a fault of its own. */
type WaitingEdge = {
  section: TenantSection;
  place: string;
  groupId: string;
  row: unknown;
  fault: string | null;
};
/** The file of edges that wait; no tenant has such an id. */
const WAITING = '';

class Sorter {
  readonly files: LineFiles;
  private readonly partners = new Map<string, Rows['partners']>();
  private readonly tenants = new Map<string, Rows['tenants']>();
  private readonly tenantOfGroup = new Map<string, string>();
  private readonly faults = new Map<string, string[]>();
  private readonly strays: string[] = [];
  private readonly skipped: string[] = [];
  /** Of each tenant, how many rows there are, and where the first of them stands. */
  private readonly rowsOfTenant = new Map<string, { first: string; count: number }>();
  /** Rows of sections that are not of the format. */
  private readonly unknownSections = new Map<string, number>();
  private empty = true;

  constructor(folder: string) {
    this.files = new LineFiles(folder);
  }

  take({ section, index, row, fault }: SourceRow): void {
    if (!isSection(section)) {
      if (index === null) this.skipped.push(section);
      else this.unknownSections.set(section, (this.unknownSections.get(section) ?? 0) + 1);
      return;
    }
    this.empty = false;
    if (index === null) {
      this.strays.push(`${section} must be an array`);
      return;
    }
    const place = `${section}[${index}]`;
    const result = SECTIONS[section].safeParse(row);
    const message = fault ?? (result.success ? null : result.error.issues.map(issueText).join('; '));
    if (section === 'groups') this.takeGroup(place, row);
    if (section === 'partners' || section === 'tenants') {
      if (message !== null) this.strays.push(`${place}: ${message}`);
      else if (section === 'partners') this.takePartner(place, result.data as Rows['partners']);
      else this.takeTenant(place, result.data as Rows['tenants']);
      return;
    }
    const { tenantId, groupId, parentGroupId } = Object(row) as Record<string, unknown>;
    const group = groupId ?? parentGroupId;
    const isEdge = section === 'memberships' || section === 'nestings';
    if (isEdge && typeof group === 'string' && !this.tenantOfGroup.has(group)) {
      this.files.write(WAITING, { section, place, groupId: group, row: result.data, fault: message });
      return;
    }
    const owner = isEdge ? this.tenantOfGroup.get(String(group)) : tenantId;
    this.sort(section, place, typeof owner === 'string' ? owner : null, result.data, message);
  }

  async finish(): Promise<Omit<Spooled, 'remove'>> {
    await this.files.flush();
    for await (const edge of this.files.read(WAITING)) {
      const { section, place, groupId, row, fault } = edge as WaitingEdge;
      const owner = this.tenantOfGroup.get(groupId);
      if (owner === undefined) this.strays.push(`${place}: ${fault ?? 'its group is not in the file'}`);
      else this.sort(section, place, owner, row, fault);
      if (this.files.isFull) await this.files.flush();
    }
    await this.files.flush();
    this.reportUnstored();
    const { files, faults, strays, skipped } = this;
    return {
      partners: [...this.partners.values()],
      tenants: [...this.tenants.values()],
      faults,
      strays,
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
      this.strays.push(`${place}: ${fault ?? 'its group is of no tenant'}`);
      return;
    }
    const known = this.rowsOfTenant.get(tenantId);
    if (known) known.count += 1;
    else this.rowsOfTenant.set(tenantId, { first: place, count: 1 });
    if (fault !== null) this.fail(tenantId, `${place}: ${fault}`);
    else this.files.write(tenantId, [section, row]);
  }

  /** Notes the tenant of a group, even if its row has a fault: its edges are of that tenant. */
  private takeGroup(place: string, row: unknown): void {
    const { id, tenantId } = Object(row) as Record<string, unknown>;
    if (typeof id !== 'string' || typeof tenantId !== 'string') return;
    const other = this.tenantOfGroup.get(id);
    if (other === undefined) this.tenantOfGroup.set(id, tenantId);
    else if (other !== tenantId) {
      // Whose its edges are cannot be told.
      this.fail(other, `${place}: group ${id} is also one of ${tenantId} in the file`);
      this.fail(tenantId, `${place}: group ${id} is also one of ${other} in the file`);
    }
  }

  private takePartner(place: string, partner: Rows['partners']): void {
    if (isOther(this.partners.get(partner.id), partner))
      this.strays.push(`${place}: partner ${partner.id} stands in the file twice, differently`);
    else this.partners.set(partner.id, partner);
  }

  private takeTenant(place: string, tenant: Rows['tenants']): void {
    if (isOther(this.tenants.get(tenant.id), tenant))
      this.fail(tenant.id, `${place}: tenant ${tenant.id} stands in the file twice, differently`);
    else this.tenants.set(tenant.id, tenant);
  }

  /** Rows that no tenant of the file will take along. */
  private reportUnstored(): void {
    for (const [tenantId, { first, count }] of this.rowsOfTenant) {
      if (this.tenants.has(tenantId)) continue;
      this.strays.push(...(this.faults.get(tenantId) ?? []));
      const more = count > 1 ? ` and ${count - 1} more` : '';
      this.strays.push(`${first}${more}: tenant ${tenantId} is not in the file, or not valid there`);
    }
    for (const [section, count] of this.unknownSections) {
      this.strays.push(`${section}: not a section of this format; it has ${count} rows`);
    }
    if (this.empty) this.strays.push(`The file has none of the sections ${Object.keys(SECTIONS).join(', ')}`);
  }

  private fail(tenantId: string, message: string): void {
    const faults = this.faults.get(tenantId);
    if (faults) faults.push(message);
    else this.faults.set(tenantId, [message]);
  }
}

/** Whether there is a row of the same id already, which says otherwise. */
const isOther = (before: object | undefined, row: object) =>
  before !== undefined && !isDeepStrictEqual(before, row);

const issueText = ({ path, message }: { path: PropertyKey[]; message: string }) =>
  path.length === 0 ? message : `${path.join('.')} ${message}`;

/** Files of JSON lines, one for each key, written in blocks. */
class LineFiles {
  private readonly folder: string;
  /** Files have numbers: ids may differ by case alone, which names of files do not everywhere. */
  private readonly numbers = new Map<string, number>();
  private readonly buffers = new Map<string, string[]>();
  private held = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  get isFull(): boolean {
    return this.held > BUFFER;
  }

  write(key: string, value: unknown): void {
    const line = `${oneLine(value)}\n`;
    const lines = this.buffers.get(key);
    if (lines) lines.push(line);
    else this.buffers.set(key, [line]);
    this.held += line.length;
  }

  async flush(): Promise<void> {
    for (const [key, lines] of this.buffers) {
      if (!this.numbers.has(key)) this.numbers.set(key, this.numbers.size);
      await appendFile(this.path(key), lines.join(''));
    }
    this.buffers.clear();
    this.held = 0;
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

/** JSON without what readline takes for the end of a line beside `\n`: U+2028 and U+2029 stand in it as they are. */
const oneLine = (value: unknown): string =>
  JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');

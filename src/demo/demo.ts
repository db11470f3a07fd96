// The demo directory: an invented one, the same on every machine, that shows what groups can do.
import type { Database } from '../database/database.ts';
import { importDirectory } from '../import/import-directory.ts';
import type { SourceRow } from '../import/rows.ts';

type Company = {
  tenantId: string;
  partnerId: string;
  name: string;
  slug: string;
  users: number;
  sites: string[];
};

const PARTNERS = [
  { id: 'prt_Meridian00000000', name: 'Meridian Partners' },
  { id: 'prt_Lighthouse000000', name: 'Lighthouse Resellers' },
];

const COMPANIES: Company[] = [
  {
    tenantId: 'tnt_Northwind0000000',
    partnerId: 'prt_Meridian00000000',
    name: 'Northwind Instruments',
    slug: 'northwind',
    users: 200,
    sites: ['Rotterdam', 'Ghent', 'Lyon'],
  },
  {
    tenantId: 'tnt_Halcyon000000000',
    partnerId: 'prt_Meridian00000000',
    name: 'Halcyon Foods',
    slug: 'halcyon',
    users: 120,
    sites: ['Porto', 'Bilbao'],
  },
  {
    tenantId: 'tnt_Tidewater0000000',
    partnerId: 'prt_Lighthouse000000',
    name: 'Tidewater Shipping',
    slug: 'tidewater',
    users: 80,
    sites: ['Bergen'],
  },
];

const DIVISIONS: Record<string, string[]> = {
  Engineering: ['Platform', 'Mobile', 'Quality', 'Research'],
  Operations: ['Logistics', 'Facilities', 'Support'],
  Commercial: ['Sales', 'Marketing', 'Partnerships'],
  Finance: ['Accounting', 'Payroll'],
  People: ['Recruiting', 'Learning'],
};

const GIVEN = [
  'Ada',
  'Bram',
  'Chloe',
  'Dario',
  'Elif',
  'Femi',
  'Greta',
  'Hugo',
  'Ines',
  'Joris',
  'Kaya',
  'Lucas',
  'Mila',
  'Nour',
  'Otis',
  'Priya',
  'Quinn',
  'Rosa',
  'Sami',
  'Tess',
];
const FAMILY = [
  'Aalders',
  'Brandt',
  'Castro',
  'Dubois',
  'Eriksen',
  'Ferreira',
  'Gallo',
  'Haas',
  'Ivanova',
  'Jansen',
  'Kowalski',
  'Lindqvist',
  'Moreau',
  'Novak',
  'Okafor',
  'Petrov',
  'Rossi',
  'Silva',
  'Tanaka',
  'Visser',
];

/** Numbers between 0 and 1, the same for the same seed (mulberry32, public domain, by Tommy Ettinger). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A readable id of 16 characters after its prefix: `grp_NorthwindSales00`. */
function readableId(prefix: string, ...words: string[]): string {
  const text = words.join('').replaceAll(/[^A-Za-z0-9]/g, '');
  return `${prefix}_${text.slice(0, 16).padEnd(16, '0')}`;
}

/** The demo directory as rows of the import format. */
export function* demoRows(): Generator<SourceRow> {
  const counters = new Map<string, number>();
  const emit = (section: string, row: object): SourceRow => {
    const index = counters.get(section) ?? 0;
    counters.set(section, index + 1);
    return { section, index, row };
  };
  for (const partner of PARTNERS) yield emit('partners', partner);
  for (const { tenantId: id, partnerId, name, slug } of COMPANIES)
    yield emit('tenants', { id, partnerId, name, slug });
  for (const [at, company] of COMPANIES.entries()) {
    const { users, groups, memberships, nestings } = companyRows(company, random(at + 1));
    for (const user of users) yield emit('users', user);
    for (const group of groups) yield emit('groups', group);
    for (const membership of memberships) yield emit('memberships', membership);
    for (const nesting of nestings) yield emit('nestings', nesting);
  }
}

type GroupRow = {
  id: string;
  tenantId: string;
  name: string;
  description: string | null;
  groupType: 'SECURITY' | 'DISTRIBUTION';
  parentGroupId: string | null;
};

function companyRows({ tenantId, slug, users: size, sites }: Company, next: () => number) {
  const short = slug.slice(0, 5);
  const users = Array.from({ length: size }, (_, at) => {
    const given = GIVEN[at % GIVEN.length]!;
    const family = FAMILY[(Math.floor(at / GIVEN.length) + at) % FAMILY.length]!;
    return {
      id: readableId('usr', short, String(at + 1).padStart(4, '0')),
      tenantId,
      email: `${given}.${family}@${slug}.example`.toLowerCase(),
      displayName: `${given} ${family}`,
    };
  });
  const groups: GroupRow[] = [];
  const memberships: { groupId: string; userId: string }[] = [];
  const nestings: { parentGroupId: string; childGroupId: string }[] = [];
  const group = (name: string, parent: GroupRow | null, more: Partial<GroupRow> = {}): GroupRow => {
    const id = readableId('grp', short, String(groups.length + 1).padStart(3, '0'), name);
    const row = {
      id,
      tenantId,
      name,
      description: null,
      groupType: 'SECURITY' as const,
      parentGroupId: parent?.id ?? null,
      ...more,
    };
    groups.push(row);
    return row;
  };
  const nest = (parent: GroupRow, child: GroupRow) =>
    nestings.push({ parentGroupId: parent.id, childGroupId: child.id });
  const fill = (target: GroupRow, share: number) => {
    for (const user of users) if (next() < share) memberships.push({ groupId: target.id, userId: user.id });
  };

  const everyone = group('Everyone', null, {
    description: 'All who work here, by way of their division',
    groupType: 'DISTRIBUTION',
  });
  for (const [name, teams] of Object.entries(DIVISIONS)) {
    const division = group(name, null, { description: `The ${name} division` });
    nest(everyone, division);
    for (const teamName of teams) {
      const team = group(teamName, division);
      nest(division, team);
      fill(team, 0.06);
    }
  }
  // A diamond: on-call duty counts the support team twice over, and shows its people once.
  const byName = new Map(groups.map((row) => [row.name, row]));
  const onCall = group('On call', null, { description: 'A diamond: support reaches it along two ways' });
  const [first, second] = [group('First line', onCall), group('Second line', onCall)];
  for (const line of [first, second]) {
    nest(onCall, line);
    nest(line, byName.get('Support')!);
    fill(line, 0.02);
  }
  // A chain: access that is granted from level to level, so that each higher level holds all that is below.
  let above: GroupRow | null = null;
  for (const level of ['Visitors', 'Readers', 'Writers', 'Reviewers', 'Owners']) {
    const row: GroupRow = group(`Archive ${level}`, null, {
      description: 'A link of a chain: the next level counts here',
    });
    if (above) nest(above, row);
    fill(row, 0.015);
    above = row;
  }
  for (const site of sites) {
    const row = group(`Site ${site}`, null, { description: `All at ${site}`, groupType: 'DISTRIBUTION' });
    fill(row, 1 / (sites.length + 1));
  }
  return { users, groups, memberships, nestings };
}

/** Loads the demo directory; loading it again changes nothing. */
export async function seedDemo(db: Database) {
  return importDirectory(db, demoRows());
}

/** One caller of each kind, by ids of the demo directory; claims as an identity provider would issue them. */
export function demoCallers(): { role: string; claims: Record<string, unknown> }[] {
  const [northwind] = COMPANIES;
  const { tenantId: tenant_id, partnerId: partner_id } = northwind!;
  return [
    { role: 'super_admin', claims: { sub: 'usr_Administrator000', role: 'super_admin' } },
    { role: 'partner_admin', claims: { sub: 'usr_Reseller00000000', role: 'partner_admin', partner_id } },
    { role: 'tenant_admin', claims: { sub: 'usr_north00010000000', role: 'tenant_admin', tenant_id } },
    { role: 'service', claims: { sub: 'client-demo', tenant_id, scope: 'groups:read groups:write' } },
    { role: 'user', claims: { sub: 'usr_north00020000000', tenant_id } },
  ];
}

// The demo directory: invented data, identical on every machine, that shows the features of groups.
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

const GIVEN_NAMES = [
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
const FAMILY_NAMES = [
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

/** A deterministic generator of numbers from 0 up to 1: mulberry32 by Tommy Ettinger, public domain. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A readable id with 16 characters after its prefix, e.g. `grp_north010Sales000`. */
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
  for (const [index, company] of COMPANIES.entries()) {
    const { users, groups, memberships, nestings } = companyRows(company, random(index + 1));
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
  const prefix = slug.slice(0, 5);
  const users = Array.from({ length: size }, (_, index) => {
    const given = GIVEN_NAMES[index % GIVEN_NAMES.length]!;
    const family = FAMILY_NAMES[(Math.floor(index / GIVEN_NAMES.length) + index) % FAMILY_NAMES.length]!;
    return {
      id: readableId('usr', prefix, String(index + 1).padStart(4, '0')),
      tenantId,
      email: `${given}.${family}@${slug}.example`.toLowerCase(),
      displayName: `${given} ${family}`,
    };
  });
  const groups: GroupRow[] = [];
  const memberships: { groupId: string; userId: string }[] = [];
  const nestings: { parentGroupId: string; childGroupId: string }[] = [];
  const addGroup = (name: string, parent: GroupRow | null, fields: Partial<GroupRow> = {}): GroupRow => {
    const id = readableId('grp', prefix, String(groups.length + 1).padStart(3, '0'), name);
    const row = {
      id,
      tenantId,
      name,
      description: null,
      groupType: 'SECURITY' as const,
      parentGroupId: parent?.id ?? null,
      ...fields,
    };
    groups.push(row);
    return row;
  };
  const nest = (parent: GroupRow, child: GroupRow) =>
    nestings.push({ parentGroupId: parent.id, childGroupId: child.id });
  /** Makes a random share of the users members. */
  const addMembers = (target: GroupRow, share: number) => {
    for (const user of users) if (next() < share) memberships.push({ groupId: target.id, userId: user.id });
  };

  const everyone = addGroup('Everyone', null, {
    description: 'All employees, nested by division',
    groupType: 'DISTRIBUTION',
  });
  for (const [name, teams] of Object.entries(DIVISIONS)) {
    const division = addGroup(name, null, { description: `The ${name} division` });
    nest(everyone, division);
    for (const teamName of teams) {
      const team = addGroup(teamName, division);
      nest(division, team);
      addMembers(team, 0.06);
    }
  }
  // A diamond: two paths lead from the on-call group to the support team, whose members count once.
  const byName = new Map(groups.map((row) => [row.name, row]));
  const onCall = addGroup('On call', null, {
    description: 'A diamond: Support is nested in it along two paths',
  });
  const [first, second] = [addGroup('First line', onCall), addGroup('Second line', onCall)];
  for (const line of [first, second]) {
    nest(onCall, line);
    nest(line, byName.get('Support')!);
    addMembers(line, 0.02);
  }
  // A chain: each level is nested in the previous one, which therefore includes the members of all levels after it.
  let previous: GroupRow | null = null;
  for (const level of ['Visitors', 'Readers', 'Writers', 'Reviewers', 'Owners']) {
    const row: GroupRow = addGroup(`Archive ${level}`, null, {
      description: 'One level of a chain: includes the members of the next levels',
    });
    if (previous) nest(previous, row);
    addMembers(row, 0.015);
    previous = row;
  }
  for (const site of sites) {
    const row = addGroup(`Site ${site}`, null, {
      description: `All users at ${site}`,
      groupType: 'DISTRIBUTION',
    });
    addMembers(row, 1 / (sites.length + 1));
  }
  return { users, groups, memberships, nestings };
}

/** Imports the demo directory; importing it again changes nothing. */
export async function seedDemo(db: Database) {
  return importDirectory(db, demoRows());
}

/** The claims of one caller of each role, with ids of the demo directory, as an identity provider would issue them. */
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

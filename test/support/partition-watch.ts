// Explains each statement that the domain and the import send, and collects those that touch several partitions of a table.
import pg from 'pg';
import { Client } from '../../src/database/client.ts';
import { scatteredTables } from './partitioned.ts';

/** Statements that read several tenants on purpose: lists across tenants, and where the tenants of ids are looked up. */
export const ACROSS_TENANTS: readonly { what: string; tables: string[]; statement: RegExp }[] = [
  {
    what: 'the tenant of an id',
    tables: ['ids'],
    statement: /from ids where (?:tenant_id <> \$\d+ and )?id = any/,
  },
  { what: 'ids given to a tenant', tables: ['ids'], statement: /insert into ids / },
  {
    what: 'the heads of watched tenants',
    tables: ['tenant_logs'],
    statement: /from tenant_logs\s+where tenant_id = any/,
  },
  { what: 'tenants and partners by id', tables: ['tenants'], statement: /from (?:tenants|partners)\b/ },
  {
    what: 'groups of all visible tenants',
    tables: ['groups', 'memberships', 'nestings', 'tenants'],
    statement:
      /from groups g\s+where g\.deleted_at is null and g\.tenant_id (?:in \(select id from tenants|is not null)/,
  },
  {
    what: 'the check of a whole directory',
    tables: [
      'groups',
      'users',
      'ids',
      'memberships',
      'nestings',
      'membership_history',
      'nesting_history',
      'group_history',
      'user_history',
      'changes',
      'tenant_logs',
      'tenants',
    ],
    statement:
      /'edge-across-tenants'|'id-of-other-tenant'|as stored|as parent, .* as child from|share a name under/,
  },
];

const seen = new Set<string>();
const watched: Promise<void>[] = [];
const scattered: string[] = [];

type Statement = { text: string; values: unknown[] };

/** The first file that is not of the driver and its pool: a file of the source, or a test that sends a statement itself. */
const SENT_BY = /\/src\/(?:domain|import|database\/case-keys)|\/test\/(?!support\/partition|node_modules)/;

let isWatching = false;

/** Starts to watch the statements of every connection. */
export function watchStatements(): void {
  if (isWatching) return;
  isWatching = true;
  for (const prototype of [pg.Pool.prototype, pg.Client.prototype] as { query: unknown }[]) {
    const query = prototype.query as (...args: unknown[]) => unknown;
    prototype.query = function (this: pg.Pool | pg.Client, ...args: unknown[]) {
      const [statement] = args as [Partial<Statement>?];
      if (typeof statement === 'object' && statement.text !== undefined && !seen.has(statement.text)) {
        const { text, values = [] } = statement;
        const isOurs = SENT_BY.exec(new Error().stack ?? '')?.[0].includes('/src/');
        if (isOurs) {
          seen.add(text);
          watched.push(
            explain(this, { text, values }).catch((error) => {
              // What a test sends wrong on purpose, or after it has ended its database, is wrong here too.
              if (!/^(?:22|57|3D)/.test(String((error as { code?: unknown }).code)))
                scattered.push(`${(error as Error).message}: ${text}`);
            }),
          );
        }
      }
      return query.apply(this, args);
    };
  }
}

/** What was found, once all statements are explained: `tables: statement` for each. */
export async function scatteredStatements(): Promise<string[]> {
  await Promise.all(watched);
  return scattered;
}

/** The address of a pool's or a client's database; the password is that of all test servers. */
function urlOf(on: pg.Pool | pg.Client): string {
  const { options } = on as unknown as { options?: pg.PoolConfig };
  if (options?.connectionString) return options.connectionString;
  const { host, port, database = '' } = on as pg.Client;
  return `postgresql://postgres:postgres@${host}:${port}/${database}`;
}

async function explain(on: pg.Pool | pg.Client, statement: Statement): Promise<void> {
  const client = new Client(urlOf(on));
  try {
    await client.connect();
    const tables = await scatteredTables(client, statement);
    const isAcross = ACROSS_TENANTS.some(
      (across) =>
        across.statement.test(statement.text) && tables.every((table) => across.tables.includes(table)),
    );
    if (tables.length > 0 && !isAcross) scattered.push(`${tables}: ${statement.text}`);
  } finally {
    await client.end();
  }
}

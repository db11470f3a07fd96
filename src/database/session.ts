// What a session of a server must be, whatever server, database, role and URL prefer: set, and checked as it opens.
import type pg from 'pg';

/** Settings that the startup packet asks for: of those that the code relies on, what PgBouncer passes on too. */
const ASKED_FOR: Record<string, string> = {
  // The driver reads ISO dates alone, and Prisma's adapter drops the offset of a timestamp that it reads.
  DateStyle: 'ISO,MDY',
  TimeZone: 'UTC',
  standard_conforming_strings: 'on',
};

/** Settings that must be there already, as they are unless somebody changed them. */
const GIVEN: Record<string, string> = {
  // Any text can be stored.
  server_encoding: 'UTF8',
  client_encoding: 'UTF8',
  // Foreign keys are kept.
  session_replication_role: 'origin',
  // Lists are sent as arrays, nulls included.
  array_nulls: 'on',
  transform_null_equals: 'off',
  // A search finds all rows.
  gin_fuzzy_search_limit: '0',
};

const REQUIRED = { ...ASKED_FOR, ...GIVEN };

/** The startup options as the query of a URL holds them. */
const OPTIONS = Object.entries(ASKED_FOR)
  .map(([name, value]) => `-c+${name}=${value}`)
  .join('+');

/** The URL with the startup options behind its own: of two options with one name the later one holds. */
export function withSessionOptions(url: string): string {
  const own = /[?&]options=([^&#]*)/.exec(url)?.[1];
  return `${url}${url.includes('?') ? '&' : '?'}options=${own ? `${own}+` : ''}${OPTIONS}`;
}

/** SQLSTATE of a client that cannot establish the session that it needs. */
const UNFIT = '08001';

/** Rejects, with each setting that is another, unless the session is as the code needs it. */
export async function assertSession(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
  const names = Object.keys(REQUIRED);
  const { rows } = await client.query<{ name: string; value: string }>(
    `select name, replace(current_setting(name), ', ', ',') as value from unnest($1::text[]) name`,
    [names],
  );
  const faults = rows
    .filter(({ name, value }) => value !== REQUIRED[name])
    .map(({ name, value }) => `${name} is ${value}, and must be ${REQUIRED[name]}`);
  if (faults.length === 0) return;
  throw Object.assign(new Error(`The database does not fit: ${faults.join('; ')}`), { code: UNFIT });
}

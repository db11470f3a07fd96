// What a session of a server must be, whatever server, database, role and URL prefer: set, and checked as it opens.
import type pg from 'pg';

/** Settings that the code relies on. A server sets each by its startup packet; a pooler between may drop them. */
const SETTINGS: Record<string, string> = {
  // The driver reads ISO dates alone, and Prisma's adapter drops the offset of a timestamp that it reads.
  DateStyle: 'ISO, MDY',
  TimeZone: 'UTC',
  // Single statements are changes too, and count on seeing what was committed while they waited for a lock.
  default_transaction_isolation: 'read committed',
  // Lists are sent as arrays, nulls included.
  array_nulls: 'on',
  transform_null_equals: 'off',
  standard_conforming_strings: 'on',
  // A search must find all rows.
  gin_fuzzy_search_limit: '0',
};

/** Settings that only an administrator can change: an encoding that holds any text, and foreign keys that are kept. */
const GIVEN: Record<string, string> = {
  server_encoding: 'UTF8',
  client_encoding: 'UTF8',
  session_replication_role: 'origin',
};

const REQUIRED = { ...SETTINGS, ...GIVEN };

/** The startup options, with a space inside a value escaped as PostgreSQL asks for, in the form of a URL's query. */
const OPTIONS = Object.entries(SETTINGS)
  .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
  .join(' ')
  .replaceAll(' ', '+');

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
    `select name, current_setting(name) as value from unnest($1::text[]) name`,
    [names],
  );
  const faults = rows
    .filter(({ name, value }) => value !== REQUIRED[name])
    .map(({ name, value }) => `${name} is ${value}, and must be ${REQUIRED[name]}`);
  if (faults.length === 0) return;
  throw Object.assign(new Error(`The database does not fit: ${faults.join('; ')}`), { code: UNFIT });
}

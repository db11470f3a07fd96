// The settings that every session needs, whatever the server, database, role and URL set: requested and checked on opening.
import type pg from 'pg';

/** Settings requested in the startup packet: those that the code needs and that PgBouncer forwards. */
const REQUESTED: Record<string, string> = {
  // The driver only parses ISO dates, and Prisma's adapter, which migrates, ignores the offset of a timestamp.
  DateStyle: 'ISO,MDY',
  TimeZone: 'UTC',
  standard_conforming_strings: 'on',
};

/** Settings that are only checked: their defaults are right, unless an operator changed them. */
const EXPECTED: Record<string, string> = {
  // All text can be stored.
  server_encoding: 'UTF8',
  client_encoding: 'UTF8',
  // Foreign keys are enforced.
  session_replication_role: 'origin',
  // Arrays are sent as text, in which NULL must be a null. Comparisons with null must be null.
  array_nulls: 'on',
  transform_null_equals: 'off',
  // A search returns all matching rows.
  gin_fuzzy_search_limit: '0',
};

const REQUIRED = { ...REQUESTED, ...EXPECTED };

/** The startup options, encoded for the query of a URL. */
const OPTIONS = Object.entries(REQUESTED)
  .map(([name, value]) => `-c+${name}=${value}`)
  .join('+');

/** Appends the startup options to the URL's own options: the last option with a name wins. */
export function withSessionOptions(url: string): string {
  return withOptions(url, OPTIONS);
}

/** The URL of sessions that do not write, also if it leads to a primary. */
export function readOnly(url: string): string {
  return withOptions(url, '-c+default_transaction_read_only=on');
}

function withOptions(url: string, options: string): string {
  const own = /.*[?&]options=([^&#]*)/.exec(url)?.[1];
  return `${url}${url.includes('?') ? '&' : '?'}options=${own ? `${own}+` : ''}${options}`;
}

/** SQLSTATE of a client that cannot establish its session; `errors.ts` treats it as a lost connection. */
const CANNOT_CONNECT = '08001';

/** Rejects with an error that lists each wrong setting of the session. */
export async function assertSession(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
  const names = Object.keys(REQUIRED);
  const { rows } = await client.query<{ name: string; value: string }>(
    `select name, replace(current_setting(name), ', ', ',') as value from unnest($1::text[]) name`,
    [names],
  );
  const wrongSettings = rows
    .filter(({ name, value }) => value !== REQUIRED[name])
    .map(({ name, value }) => `${name} is ${value}, and must be ${REQUIRED[name]}`);
  if (wrongSettings.length === 0) return;
  throw Object.assign(new Error(`The database has wrong settings: ${wrongSettings.join('; ')}`), {
    code: CANNOT_CONNECT,
  });
}

// The readiness check of the database, for load balancers.
import { refuse } from '../model/errors.ts';
import { type Database, Prisma } from './database.ts';

/** Resolves if the database answers and accepts writes. Throws UNAVAILABLE if it is read-only: a standby, or by its settings. */
export async function assertReady({ sql }: Pick<Database, 'sql'>): Promise<void> {
  const [state] = await sql<{ readOnly: string }>(
    Prisma.sql`select current_setting('transaction_read_only') as "readOnly"`,
  );
  if (state?.readOnly === 'on') throw refuse.unavailable('The database is read-only');
}

// Whether the database does its work: what a load balancer asks for.
import { refuse } from '../model/errors.ts';
import { type Database, Prisma } from './database.ts';

/** Resolves while the database answers and takes writes; UNAVAILABLE, saying so, for one that only reads (a standby, or by its settings). */
export async function assertReady({ sql }: Pick<Database, 'sql'>): Promise<void> {
  const [state] = await sql<{ readOnly: string }>(
    Prisma.sql`select current_setting('transaction_read_only') as "readOnly"`,
  );
  if (state?.readOnly === 'on') throw refuse.unavailable('The database is read-only');
}

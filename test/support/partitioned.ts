// Partitions the tables of a migrated database by tenant: a statement that does not name its tenant then touches them all.
import type pg from 'pg';

/** Each table below a tenant, and the column that names the tenant. Partners belong to no tenant. */
export const PARTITIONED: Record<string, string> = {
  tenants: 'id',
  tenant_logs: 'tenant_id',
  changes: 'tenant_id',
  ids: 'id',
  users: 'tenant_id',
  groups: 'tenant_id',
  memberships: 'tenant_id',
  nestings: 'tenant_id',
  membership_history: 'tenant_id',
  nesting_history: 'tenant_id',
  group_history: 'tenant_id',
  user_history: 'tenant_id',
};

const PARTITIONS = 4;

/** Replaces the empty tables by partitioned ones with the same columns, keys, indexes and checks. */
export async function partitionTables(client: Pick<pg.Client, 'query'>): Promise<void> {
  const tables = Object.keys(PARTITIONED);
  const { rows: foreignKeys } = await client.query<{ statement: string }>(
    `select format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as statement
    from pg_constraint where contype = 'f' and conrelid::regclass::text = any($1)`,
    [tables],
  );
  for (const [table, column] of Object.entries(PARTITIONED)) {
    await client.query(`
      alter table ${table} rename to plain_${table};
      create table ${table} (like plain_${table} including all excluding identity) partition by hash (${column});
      ${Array.from(
        { length: PARTITIONS },
        (_, remainder) =>
          `create table ${table}_${remainder} partition of ${table} for values with (modulus ${PARTITIONS}, remainder ${remainder});`,
      ).join('\n')}`);
  }
  await client.query(`drop table ${tables.map((table) => `plain_${table}`).join(', ')} cascade`);
  for (const { statement } of foreignKeys) await client.query(statement);
}

type Plan = { 'Relation Name'?: string; Plans?: Plan[] };

/** The tables of which a statement touches more than one partition, with the number of them. */
export async function scatteredTables(
  client: Pick<pg.Client, 'query'>,
  { text, values }: { text: string; values: unknown[] },
): Promise<string[]> {
  const { rows } = await client.query(`explain (format json) ${text}`, values);
  const partitions = new Map<string, Set<string>>();
  const visit = ({ 'Relation Name': relation, Plans = [] }: Plan) => {
    const [, table] = /^(\w+)_\d+$/.exec(relation ?? '') ?? [];
    if (table !== undefined) partitions.set(table, (partitions.get(table) ?? new Set()).add(relation!));
    Plans.forEach(visit);
  };
  visit((rows[0] as { 'QUERY PLAN': { Plan: Plan }[] })['QUERY PLAN'][0]!.Plan);
  return [...partitions]
    .filter(([, touched]) => touched.size > 1)
    .map(([table]) => table)
    .sort();
}

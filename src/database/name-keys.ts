// How `groups.name_key` stores the key of a name, and how siblings are found by it.
import { nameKey } from '../model/text.ts';
import { Prisma, type Query, type Sql } from './database.ts';

/**
 * Siblings cannot have the same `name_key`: a unique index refuses it. When the rules for keys change, two names may get the
 * same key. Then one group keeps the plain key; the others store the key, this separator and their own id. No name contains
 * the separator, a control character.
 */
const SEPARATOR = '\x1f';
const SEPARATOR_SQL = Prisma.sql`chr(31)`;
/** No character of a key is less: between a key and the key with this behind it are only suffixed ones. */
const AFTER_SEPARATOR = Prisma.sql`chr(32)`;

/** The key of a group's name with the group's id behind it. */
export const suffixedKey = (key: string, id: string): string => `${key}${SEPARATOR}${id}`;
export const suffixedKeySql = (key: Sql, id: Sql): Sql => Prisma.sql`${key} || ${SEPARATOR_SQL} || ${id}`;

/** The key of the name alone, whatever follows it in the stored key. */
export const plainKey = (stored: Sql): Sql => Prisma.sql`split_part(${stored}, ${SEPARATOR_SQL}, 1)`;

export const isSuffixed = (stored: Sql): Sql => Prisma.sql`strpos(${stored}, ${SEPARATOR_SQL}) > 0`;

type Place = { tenantId: Sql | string; parentGroupId: Sql | string | null; key: Sql | string };

/**
 * Predicate on `alias`, a row of `groups`: a live group under that parent whose name has that key, stored plain or suffixed.
 * A range of the unique index of siblings, in whose terms it is written. Where the key is that of another row, it belongs in a
 * subquery that stays one (`offset 0`, `limit 1`): joined, it may be compared with all siblings instead.
 */
export const hasNameAt = (alias: Sql, { tenantId, parentGroupId, key }: Place): Sql => Prisma.sql`(
  ${alias}.tenant_id = ${tenantId} and ${alias}.deleted_at is null
  and coalesce(${alias}.parent_group_id, '') = coalesce(${typed(parentGroupId)}, '')
  and ${alias}.name_key >= ${typed(key)} and ${alias}.name_key < ${typed(key)} || ${AFTER_SEPARATOR})`;

const typed = (value: Sql | string | null): Sql =>
  typeof value === 'string' || value === null ? Prisma.sql`${value}::text` : value;

/** A name, and the parent under which a group has or had it. */
export type NamedPlace = { parentGroupId: string | null; name: string };

/** Stores the plain key for the first group of each name at its place: to be called when a group has left the place. */
export async function dropSuffixes(
  sql: Query,
  tenantId: string,
  places: readonly NamedPlace[],
): Promise<void> {
  if (places.length === 0) return;
  const place = { tenantId, parentGroupId: Prisma.sql`p.parent`, key: Prisma.sql`p.key` };
  await sql(Prisma.sql`
    update groups g set name_key = f.key
    from (select p.key, (select s.id from groups s where ${hasNameAt(Prisma.sql`s`, place)} order by s.name_key limit 1) as id
      from (select distinct * from unnest(${places.map(({ parentGroupId }) => parentGroupId)}::text[],
        ${places.map(({ name }) => nameKey(name))}::text[]) p(parent, key)) p) f
    where g.tenant_id = ${tenantId} and g.id = f.id and g.name_key <> f.key`);
}

/** Frees the names of groups that are about to get others, so that names can change hands between siblings. */
export const vacateNames = (tenantId: string, ids: readonly string[]): Sql => Prisma.sql`
  update groups set name_key = ${suffixedKeySql(Prisma.sql`''`, Prisma.sql`id`)}
  where tenant_id = ${tenantId} and id = any(${ids}::text[])`;

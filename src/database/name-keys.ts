// How `groups.name_key` stores the key of a name, and the predicate that finds the siblings with the same name.
import { nameKey } from '../model/text.ts';
import { Prisma, type Query, type Sql } from './database.ts';

/**
 * A unique index prevents equal `name_key`s of siblings. After a change of the rules for keys, two names may have the same key.
 * Then one group stores the plain key, and each other group stores a suffixed key: the key, this separator and the group's id.
 * Names cannot contain the separator, because it is a control character.
 */
const SEPARATOR = '\x1f';
const SEPARATOR_SQL = Prisma.sql`chr(31)`;
/** The next code point. No character of a key sorts before it, so only suffixed keys sort between a key and key || this. */
const AFTER_SEPARATOR = Prisma.sql`chr(32)`;

/** The key of a group's name, suffixed with the group's id. */
export const suffixedKey = (key: string, id: string): string => `${key}${SEPARATOR}${id}`;
export const suffixedKeySql = (key: Sql, id: Sql): Sql => Prisma.sql`${key} || ${SEPARATOR_SQL} || ${id}`;

/** The key of the name, without a suffix. */
export const plainKey = (stored: Sql): Sql => Prisma.sql`split_part(${stored}, ${SEPARATOR_SQL}, 1)`;

export const isSuffixed = (stored: Sql): Sql => Prisma.sql`strpos(${stored}, ${SEPARATOR_SQL}) > 0`;

/** Where a name must be unique: the siblings under one parent, or the roots of a tenant. Values or SQL expressions. */
type Place = { tenantId: Sql | string; parentGroupId: Sql | string | null; key: Sql | string };

/**
 * Predicate on `alias`, a row of `groups`: a live group under that parent whose name has that key, stored plain or suffixed.
 * It is a range of the unique index of siblings and uses the index's expressions. If the key is a column of another table, put
 * the predicate into a subquery with `offset 0` or `limit 1`: flattened into a join, it may be evaluated for all siblings.
 */
export const hasNameAt = (alias: Sql, { tenantId, parentGroupId, key }: Place): Sql => Prisma.sql`(
  ${alias}.tenant_id = ${tenantId} and ${alias}.deleted_at is null
  and coalesce(${alias}.parent_group_id, '') = coalesce(${typed(parentGroupId)}, '')
  and ${alias}.name_key >= ${typed(key)} and ${alias}.name_key < ${typed(key)} || ${AFTER_SEPARATOR})`;

const typed = (value: Sql | string | null): Sql =>
  typeof value === 'string' || value === null ? Prisma.sql`${value}::text` : value;

/** A name of a current or former child of that parent. */
export type NamedPlace = { parentGroupId: string | null; name: string };

/**
 * Stores the plain key for the first group of each name under its parent. Must be called after a group has left a parent or
 * changed its name, because the group may have held the plain key.
 */
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

/** Gives groups a temporary key before they get new ones, so that siblings can exchange names. */
export const vacateNames = (tenantId: string, ids: readonly string[]): Sql => Prisma.sql`
  update groups set name_key = ${suffixedKeySql(Prisma.sql`''`, Prisma.sql`id`)}
  where tenant_id = ${tenantId} and id = any(${ids}::text[])`;

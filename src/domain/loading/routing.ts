// Which tenant a statement reads: that of the caller or, for callers who see several, that of the id asked for.

import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';
import { Prisma, type Sql } from '../../database/database.ts';
import { isIdOf, kindOfId, type PartnerId, type TenantId } from '../../model/ids.ts';
import {
  type Directory,
  knownPositions,
  NO_TENANT,
  perDatabase,
  perDirectory,
  type Reader,
  tenantReader,
} from '../directory.ts';
import { readTail } from '../sharing/tail.ts';

/**
 * The tenant of a tenant, a group or a user, live or not; `NO_TENANT` if the caller does not see it. A caller of one tenant
 * is never sent to another one: its statements find no ids of others.
 */
export async function tenantOf(directory: Directory, id: string): Promise<TenantId> {
  const { visibility, tenantId } = directory;
  if (visibility.kind === 'tenant') return tenantId;
  // Text of a caller that is no id is of no tenant: PostgreSQL could not even read all of it.
  if (kindOfId(id) === null) return NO_TENANT;
  const tenant = isIdOf('tenant', id) ? id : (await idsById(directory).load(id))?.tenantId;
  if (!tenant || visibility.kind === 'all') return tenant ?? NO_TENANT;
  const partner = (await tenantsById(directory).load(tenant))?.partnerId;
  return partner === visibility.partnerId ? tenant : NO_TENANT;
}

/** A reader of the tenant of an id. */
export const readerFor = async (directory: Directory, id: string): Promise<Reader> =>
  tenantReader(directory.db, await tenantOf(directory, id));

/** Rows remembered, as they never change: about 20 MB. */
const MAX_REMEMBERED = 100_000;

const rowsById = <Row extends { id: string }>(select: Sql) => {
  const remembered = perDatabase(() => new LRUCache<string, Row>({ max: MAX_REMEMBERED }));
  return perDirectory(
    (directory) =>
      new DataLoader<string, Row | null>(async (ids) => {
        const rows = remembered(directory.db);
        const missing = ids.filter((id) => !rows.has(id));
        if (missing.length > 0) {
          const statement = Prisma.sql`${select} where id = any(${missing}::text[])`;
          for (const row of await directory.sql<Row>(statement)) rows.set(row.id, row);
        }
        return ids.map((id) => rows.get(id) ?? null);
      }),
  );
};

const idsById = rowsById<{ id: string; tenantId: TenantId }>(
  Prisma.sql`select id, tenant_id as "tenantId" from ids`,
);

const tenantsById = rowsById<{ id: TenantId; partnerId: PartnerId }>(
  Prisma.sql`select id, partner_id as "partnerId" from tenants`,
);

/** Notes the last known position of the reader's tenant: what is read from now on holds all changes up to it. */
export async function noteReached(directory: Directory, reader: Reader): Promise<void> {
  const position = knownPositions(reader.db).get(reader.tenantId) ?? (await readTail(reader))?.head.position;
  if (position !== undefined) directory.reached(reader.tenantId, position);
}

/**
 * Reads keys from the tenants of their ids, one read for each tenant; an error fails the keys of its tenant alone. An id of
 * null stands for all tenants that the caller sees.
 */
export async function readRouted<Key, Value>(
  directory: Directory,
  keys: readonly Key[],
  idOf: (key: Key) => string | null,
  read: (reader: Reader, keys: readonly Key[]) => Promise<(Value | Error)[]>,
): Promise<(Value | Error)[]> {
  if (directory.visibility.kind === 'tenant') return read(directory, keys);
  const tenants = await Promise.all(
    keys.map((key) => {
      const id = idOf(key);
      return id === null ? null : tenantOf(directory, id);
    }),
  );
  return readInGroups(
    keys,
    (index) => tenants[index]!,
    async (tenant, some) => {
      if (tenant === null) return read(directory, some);
      const reader = tenantReader(directory.db, tenant);
      if (tenant !== NO_TENANT) await noteReached(directory, reader);
      return read(reader, some);
    },
  );
}

/** Reads each group of keys by itself: an error fails the keys of its group alone. Values are in the order of the keys. */
export async function readInGroups<Key, Group, Value>(
  keys: readonly Key[],
  groupOf: (index: number) => Group,
  read: (group: Group, keys: readonly Key[]) => Promise<(Value | Error)[]>,
): Promise<(Value | Error)[]> {
  const values = new Array<Value | Error>(keys.length);
  await Promise.all(
    [...Map.groupBy(keys.keys(), groupOf)].map(async ([group, indexes]) => {
      const some = indexes.map((index) => keys[index]!);
      const found = await read(group, some).catch((error: Error) => some.map(() => error));
      indexes.forEach((index, position) => {
        values[index] = found[position]!;
      });
    }),
  );
  return values;
}

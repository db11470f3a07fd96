// Moments of the past: which position of a tenant's log a time or a position stands for, and whether the history holds it.
import { Prisma } from '../../database/database.ts';
import { type ErrorDetails, refuse } from '../../model/errors.ts';
import { isIdOf, type TenantId } from '../../model/ids.ts';
import type { Directory } from '../directory.ts';
import { loader } from '../loading/batching.ts';

/** A time, or a position: exactly one of them. */
export type MomentArgs = { at?: Date | null | undefined; position?: number | null | undefined };

/** The directory as of a position of a tenant's log. `at`: the time of the last change until then. */
export type Moment = { tenantId: TenantId; position: number; at: Date; directory: Directory };

type Key = { tenantId: string; at: Date | null; position: number | null };
type Found = {
  position: number | null;
  at: Date;
  isFuture: boolean;
  isHeld: boolean;
  first: string;
  last: string;
};

/**
 * The directory of a tenant at a moment; a time stands for the last position at or before it. Null for end users and for a tenant
 * that the caller does not see. Refused: VALIDATION_FAILED for a time to come, and unless exactly one argument is given;
 * HISTORY_UNAVAILABLE for a moment before the history begins, and for a position that the log has not reached.
 */
export async function momentOf(
  directory: Directory,
  tenantId: string,
  { at = null, position = null }: MomentArgs,
): Promise<Moment | null> {
  if ((at === null) === (position === null))
    throw refuse.validation([{ path: ['at'], message: 'must be given, or `position`, and not both' }]);
  if (!isIdOf('tenant', tenantId)) return null;
  const found = await moments(directory, { tenantId, at, position });
  if (!found) return null;
  if (found.isFuture) throw refuse.validation([{ path: ['at'], message: 'must not be a time to come' }]);
  if (found.position === null || !found.isHeld) throw unavailable(found);
  const moment = { tenantId, position: found.position, at: found.at };
  return { ...moment, directory: directory.at(tenantId, found.position) };
}

function unavailable({ first, last }: Found) {
  const details: ErrorDetails['HISTORY_UNAVAILABLE'] = { firstPosition: first, lastPosition: last };
  return refuse.historyUnavailable(`The history has positions ${first} to ${last}`, details);
}

const moments = loader({
  audience: 'administrators',
  keyOf: ({ tenantId, at, position }: Key) => `${tenantId} ${at?.toISOString()} ${position}`,
  idOf: ({ tenantId }) => tenantId,
  read: async ({ sql, tenantId }, keys: readonly Key[]) => {
    const rows = await sql<Found & { ordinal: number }>(Prisma.sql`
      select k.ordinal::int as ordinal, p.position::float8 as position,
        coalesce((select c.at from changes c where c.tenant_id = ${tenantId} and c.position <= p.position
          order by c.position desc limit 1), t.created_at) as at,
        coalesce(k.at > clock_timestamp(), false) as "isFuture",
        p.position between l.exact_from and l.position as "isHeld", l.exact_from::text as first, l.position::text as last
      from unnest(${keys.map(({ at }) => at)}::timestamptz[], ${keys.map(({ position }) => position)}::bigint[])
        with ordinality k(at, position, ordinal)
      join tenant_logs l on l.tenant_id = ${tenantId} join tenants t on t.id = ${tenantId}
      cross join lateral (select case
        when k.position is not null then k.position
        when l.at <= k.at then l.position
        else coalesce((select c.position from changes c where c.tenant_id = ${tenantId} and c.at <= k.at
          order by c.at desc, c.position desc limit 1), case when t.created_at <= k.at then 0 end) end as position) p`);
    const found = new Map(rows.map(({ ordinal, ...moment }) => [ordinal, moment]));
    return keys.map(({ tenantId: asked }, index) =>
      asked === tenantId ? (found.get(index + 1) ?? null) : null,
    );
  },
});

// Rows of the log: their type and columns.
import { Prisma, type Sql } from '../../database/database.ts';
import type { ChangeType } from '../../model/changes.ts';
import type { GroupId, TenantId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Reader } from '../directory.ts';
import type { Ordering } from '../loading/keyset-page.ts';
import type { Actor, EndCause } from '../log/changes.ts';

/** What a list of changes reads: a property that is false is not read, and must not be used. Both can be long. */
export type ChangeProjection = { users?: boolean; data?: boolean };

/** A group as a change recorded it; a move by a deletion or a restoration recorded only the parent. */
export type RecordedGroup = {
  name?: string;
  description?: string | null;
  parentGroupId?: GroupId | null;
  customAttributes?: JsonObject | null;
  type?: 'SECURITY' | 'DISTRIBUTION';
};
/** A user as a change recorded it. */
export type RecordedUser = { email: string; displayName: string | null };
/** A user that was created, if there is no value before, or updated; without values once it is erased. */
export type RecordedUpsert = { id: string; before?: RecordedUser; after?: RecordedUser };
export type RecordedTenant = { name: string; slug: string };

/** The details of all types; each type has some of them. */
export type ChangeData = {
  changed?: string[];
  before?: RecordedGroup | RecordedTenant;
  after?: RecordedGroup | RecordedTenant;
  strategy?: string;
  parentGroupId?: GroupId | null;
  /** The deleted group in whose place ORPHAN nested the groups. */
  through?: GroupId;
  users?: RecordedUpsert[];
  /** Groups whose member counts were repaired. */
  recounted?: GroupId[];
};

/** A change of the log. Position and ordinal are its place. */
export type ChangeRow = {
  tenantId: TenantId;
  position: number;
  ordinal: number;
  changeId: string;
  at: Date;
  type: ChangeType;
  actorId: string;
  actorType: Actor['type'];
  cause: EndCause | null;
  groupId: GroupId | null;
  groupIds: GroupId[] | null;
  /** Only where `ChangeProjection` asks for it. */
  userIds?: string[] | null;
  userCount?: number;
  /** Only where `ChangeProjection` asks for it. */
  data?: ChangeData;
};

/** Columns of a `ChangeRow` under the alias `c`; its ordinal is `place`, as lists have an `ordinal` of their own. */
export function changeColumns({ tenantId }: Reader, { users, data }: ChangeProjection): Sql {
  const details = data ? Prisma.sql`, coalesce(${createdUsers(tenantId)}, c.data) as data` : Prisma.empty;
  const ofUsers = Prisma.sql`, c.user_ids as "userIds", coalesce(cardinality(c.user_ids), 0) as "userCount"`;
  return Prisma.sql`c.tenant_id as "tenantId", c.position::float8 as position, c.ordinal as place,
    c.change_id as "changeId", c.at, c.type, c.actor_id as "actorId", c.actor_type as "actorType", c.cause,
    c.group_id as "groupId", c.group_ids as "groupIds"${users ? ofUsers : Prisma.empty}${details}`;
}

/**
 * The values of users that a change created, which the log does not hold: they are the versions of the users that began with it.
 * Null for other changes, and for users of before there were versions.
 */
const createdUsers = (tenantId: TenantId): Sql => Prisma.sql`
  case when c.type = 'users.upserted' and not c.data ? 'users' then (
    select jsonb_build_object('users', jsonb_agg(case when v.email = '' then jsonb_build_object('id', v.id)
      else jsonb_build_object('id', v.id, 'after', jsonb_build_object('email', v.email, 'displayName', v.display_name)) end
      order by v.id))
    from (
      select id, email, display_name from users
      where tenant_id = ${tenantId} and id = any(c.user_ids) and version_since = c.position and until is null
      union all
      select id, email, display_name from user_history
      where tenant_id = ${tenantId} and id = any(c.user_ids) and since = c.position) v having count(*) > 0) end`;

/** The order of the log, or its reverse. */
export const changeOrdering = (descending: boolean): Ordering => ({
  tag: 'change',
  descending,
  keys: [
    { column: Prisma.sql`c.position`, type: 'bigint', alias: 'position' },
    { column: Prisma.sql`c.ordinal`, type: 'bigint', alias: 'place' },
  ],
});

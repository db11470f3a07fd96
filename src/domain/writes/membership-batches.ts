// One statement that adds members for several requests; each request succeeds or fails by itself.

import { Prisma } from '../../database/database.ts';
import type { GroupId } from '../../model/ids.ts';
import type { Reader } from '../directory.ts';
import type { Actor } from '../log/events.ts';
import { type Group, type GroupWithoutCounts, groupColumns, withoutCounts } from '../rows/groups.ts';

/** One request: users to add to a group, and who adds them. */
export type Addition = { groupId: GroupId; userIds: readonly string[]; actor: Actor };

/** The group, the requested users that its tenant has, and those who were not members before. */
export type Outcome = { group: GroupWithoutCounts; known: ReadonlySet<string>; added: ReadonlySet<string> };

type Row = Group & { ordinal: number; known: string[] | null; added: string[] | null };

/**
 * All or nothing per item: with a user that is unknown in the tenant, none is added. The result is null for an item whose
 * group is not visible, or locked while `skip locked`. Locks groups in id order, then users in id order, so that two such
 * statements cannot deadlock. A membership that two items request is added for the first.
 */
export async function insertMembershipBatches(
  directory: Reader,
  items: readonly Addition[],
  locking: 'wait' | 'skip locked',
): Promise<(Outcome | null)[]> {
  const skipLocked = locking === 'wait' ? Prisma.empty : Prisma.raw(' skip locked');
  const groupIds = items.map(({ groupId }) => groupId);
  const userIds = items.flatMap((item) => item.userIds);
  const itemOrdinals = items.flatMap((item, index) => item.userIds.map(() => index + 1));
  const rows = await directory.db.change<Row>(Prisma.sql`
    with items as (
      select ordinal, group_id, actor_id, actor_type
      from unnest(${groupIds}::text[], ${items.map(({ actor }) => actor.id)}::text[],
        ${items.map(({ actor }) => actor.type)}::text[]) with ordinality i(group_id, actor_id, actor_type, ordinal)),
    live as (
      select ${groupColumns} from groups g
      where g.id = any(${groupIds}::text[]) and g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}
      order by g.id for no key update of g${skipLocked}),
    known as (
      select u.id, u.tenant_id from users u
      where u.id = any(${userIds}::text[]) and u.tenant_id in (select "tenantId" from live)
      order by u.id for key share of u${skipLocked}),
    requested as (
      select r.item, live.id as group_id, live."tenantId" as tenant_id, r.user_id, r.ordinal, k.id is not null as is_known
      from unnest(${itemOrdinals}::int[], ${userIds}::text[]) with ordinality r(item, user_id, ordinal)
      join items i on i.ordinal = r.item join live on live.id = i.group_id
      left join known k on k.id = r.user_id and k.tenant_id = live."tenantId"),
    valid as (
      select distinct on (r.group_id, r.user_id) r.item, r.group_id, r.tenant_id, r.user_id, r.ordinal
      from requested r where r.item not in (select item from requested where not is_known)
      order by r.group_id, r.user_id, r.item),
    inserted as (
      insert into memberships (tenant_id, group_id, user_id, added_by)
      select v.tenant_id, v.group_id, v.user_id, i.actor_id from valid v join items i on i.ordinal = v.item
      order by v.group_id, v.user_id
      on conflict (group_id, user_id) do nothing returning group_id, user_id),
    added as (
      select v.item, array_agg(v.user_id order by v.ordinal) as ids
      from valid v join inserted n on n.group_id = v.group_id and n.user_id = v.user_id group by v.item),
    counted as (
      update groups g set member_count = g.member_count + e.n, membership_version = g.membership_version + 1
      from (select group_id, count(*)::int as n from inserted group by group_id) e where g.id = e.group_id),
    recorded as (
      insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data)
      select 'group_membership.added', live."tenantId", live.id, i.actor_id, i.actor_type,
        jsonb_build_object('userIds', added.ids)
      from added join items i on i.ordinal = added.item join live on live.id = i.group_id
      order by i.ordinal)
    select i.ordinal::int, live.*, k.ids as known, added.ids as added
    from items i join live on live.id = i.group_id
    left join (
      select item, array_agg(user_id order by ordinal) as ids from requested where is_known group by item) k
      on k.item = i.ordinal
    left join added on added.item = i.ordinal`);
  const outcomes = new Array<Outcome | null>(items.length).fill(null);
  for (const { ordinal, known, added, ...group } of rows) {
    outcomes[ordinal - 1] = { group: withoutCounts(group), known: new Set(known), added: new Set(added) };
  }
  return outcomes;
}

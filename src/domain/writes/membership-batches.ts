// One statement that adds the members of many additions: each addition is whole, or fails, alone.

import { Prisma } from '../../database/database.ts';
import type { GroupId } from '../../model/ids.ts';
import type { Reader } from '../directory.ts';
import type { Actor } from '../log/events.ts';
import { type Group, type GroupWithoutCounts, groupColumns, withoutCounts } from '../rows/groups.ts';

export type Addition = { groupId: GroupId; userIds: readonly string[]; actor: Actor };

/** The group, those of the users that its tenant has, and those that were no members before. */
export type Outcome = { group: GroupWithoutCounts; known: ReadonlySet<string>; added: ReadonlySet<string> };

type Row = Group & { item: number; known: string[] | null; added: string[] | null };

/**
 * Groups are locked in the order of their ids, then users in theirs, so that two of these statements never wait for
 * each other. What two items ask for is added for the first.
 */
export async function insertMembershipBatches(
  directory: Reader,
  items: readonly Addition[],
  locking: 'wait' | 'skip locked',
): Promise<(Outcome | null)[]> {
  const ifLocked = locking === 'wait' ? Prisma.empty : Prisma.raw(' skip locked');
  const groupIds = items.map(({ groupId }) => groupId);
  const users = items.flatMap(({ userIds }) => userIds);
  const itemOfUser = items.flatMap(({ userIds }, at) => userIds.map(() => at + 1));
  const rows = await directory.db.change<Row>(Prisma.sql`
    with items as (
      select item, group_id, actor_id, actor_type
      from unnest(${groupIds}::text[], ${items.map(({ actor }) => actor.id)}::text[],
        ${items.map(({ actor }) => actor.type)}::text[]) with ordinality i(group_id, actor_id, actor_type, item)),
    live as (
      select ${groupColumns} from groups g
      where g.id = any(${groupIds}::text[]) and g.deleted_at is null and ${directory.scope(Prisma.sql`g.tenant_id`)}
      order by g.id for no key update of g${ifLocked}),
    users_known as (
      select u.id, u.tenant_id from users u
      where u.id = any(${users}::text[]) and u.tenant_id in (select "tenantId" from live) order by u.id for key share of u${ifLocked}),
    asked as (
      select a.item, live.id as group_id, live."tenantId" as tenant_id, a.user_id, a.o, k.id is not null as known
      from unnest(${itemOfUser}::int[], ${users}::text[]) with ordinality a(item, user_id, o)
      join items i on i.item = a.item join live on live.id = i.group_id
      left join users_known k on k.id = a.user_id and k.tenant_id = live."tenantId"),
    sound as (
      select distinct on (a.group_id, a.user_id) a.item, a.group_id, a.tenant_id, a.user_id, a.o
      from asked a where a.item not in (select item from asked where not known)
      order by a.group_id, a.user_id, a.item),
    inserted as (
      insert into memberships (tenant_id, group_id, user_id, added_by)
      select s.tenant_id, s.group_id, s.user_id, i.actor_id from sound s join items i on i.item = s.item
      order by s.group_id, s.user_id
      on conflict (group_id, user_id) do nothing returning group_id, user_id),
    added as (
      select s.item, array_agg(s.user_id order by s.o) as ids
      from sound s join inserted n on n.group_id = s.group_id and n.user_id = s.user_id group by s.item),
    counted as (
      update groups g set member_count = g.member_count + e.n, membership_version = g.membership_version + 1
      from (select group_id, count(*)::int as n from inserted group by group_id) e where g.id = e.group_id),
    recorded as (
      insert into group_events (event_type, tenant_id, group_id, actor_id, actor_type, data)
      select 'group_membership.added', live."tenantId", live.id, i.actor_id, i.actor_type,
        jsonb_build_object('userIds', added.ids)
      from added join items i on i.item = added.item join live on live.id = i.group_id
      order by i.item)
    select i.item::int, live.*, k.ids as known, added.ids as added
    from items i join live on live.id = i.group_id
    left join (select item, array_agg(user_id order by o) as ids from asked where known group by item) k on k.item = i.item
    left join added on added.item = i.item`);
  const outcomes = new Array<Outcome | null>(items.length).fill(null);
  for (const { item, known, added, ...group } of rows) {
    outcomes[item - 1] = { group: withoutCounts(group), known: new Set(known), added: new Set(added) };
  }
  return outcomes;
}

// Deleted groups of a tenant that can be restored: who deleted them, when, and which memberships a restoration brings back.

import { Prisma } from '../../database/database.ts';
import { type DeleteStrategy, type GroupType, RESTORE_DAYS } from '../../model/groups.ts';
import type { GroupId } from '../../model/ids.ts';
import type { Page, PageArgs } from '../../model/page.ts';
import type { Directory } from '../directory.ts';
import { list } from '../loading/list.ts';
import { matching, searchPatterns } from '../loading/search.ts';

export type DeletedGroup = {
  id: GroupId;
  name: string;
  description: string | null;
  type: GroupType;
  parentGroupId: GroupId | null;
  deletedAt: Date;
  deletedBy: string | null;
  strategy: DeleteStrategy | null;
  /** Direct memberships that a restoration brings back: those that the deletion ended, of users who are still there. */
  membershipCount: number;
};

/** Milliseconds for which a deleted group can be restored. */
export const RESTORE_MS = RESTORE_DAYS * 24 * 3_600_000;

type Args = { search: string[] | null };

const deletedGroups = list({
  audience: 'administrators',
  columns: ({
    tenantId,
  }) => Prisma.sql`g.id, g.name, g.description, g.type, g.parent_group_id as "parentGroupId",
    g.deleted_at as "deletedAt", d.*, (
      select count(*)::int from membership_history h
      join users u on u.tenant_id = ${tenantId} and u.id = h.user_id and u.until is null and u.since <= h.since
      where h.tenant_id = ${tenantId} and h.group_id = g.id and h.deletion_id = g.deletion_id) as "membershipCount"`,
  toRow: (row: DeletedGroup) => row,
  order: (_args: Args) => ({
    tag: 'deleted',
    descending: true,
    keys: [
      { column: Prisma.sql`g.deleted_at`, type: 'timestamptz' },
      { column: Prisma.sql`g.id`, type: 'text', alias: 'id' },
    ],
  }),
  from: ({ tenantId }, { search }) => Prisma.sql`from groups g left join lateral (
      select c.actor_id as "deletedBy", c.data ->> 'strategy' as strategy from changes c
      where c.tenant_id = ${tenantId} and c.group_id = g.id and c.type = 'group.deleted'
      order by c.position desc, c.ordinal desc limit 1) d on true
    where g.tenant_id = ${tenantId} and g.tenant_id = k.id
      and g.deleted_at > now() - make_interval(days => ${RESTORE_DAYS}::int)${matching(Prisma.sql`g.search_key`, search)}`,
});

type Filter = { tenantId: string; search?: string | null | undefined };

/** Groups deleted in the last 30 days, latest first. Null for an end user. */
export async function listDeletedGroups(
  directory: Directory,
  { tenantId, search, page }: Filter & { page: PageArgs },
): Promise<Page<DeletedGroup> | null> {
  return deletedGroups.page(directory, tenantId, { search: searchPatterns(search) }, page);
}

/** How many groups `listDeletedGroups` lists on all pages. Null for an end user. */
export async function countDeletedGroups(directory: Directory, { tenantId, search }: Filter) {
  return deletedGroups.count(directory, tenantId, { search: searchPatterns(search) });
}

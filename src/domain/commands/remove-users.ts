// Removes users from the directory's copy of the platform's users, and ends their memberships.

import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import type { UserId } from '../../model/ids.ts';
import { parseInput } from '../../model/input.ts';
import { type RemoveUsersInput, removeUsersInput } from '../../model/users.ts';
import type { Directory } from '../directory.ts';
import { endMemberships } from '../writes/edges.ts';
import { assertBatchSize, requireTenantToChange } from './rules/targets.ts';

export type RemovedUsers = { removed: string[]; endedMembershipCount: number };

/** Removes all users and ends their memberships, or none. Refused: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED, UNKNOWN_USERS. */
export async function removeUsers(directory: Directory, input: RemoveUsersInput): Promise<RemovedUsers> {
  const { tenantId, userIds } = parseInput(removeUsersInput, input);
  assertBatchSize(userIds);
  await requireTenantToChange(directory, tenantId);
  const ids = [...new Set(userIds)];
  return directory.transact(tenantId, async (tx) => {
    const { query } = tx;
    // Locks groups before users, in the same order as adding members does. `endMemberships` adjusts their member counts.
    await query(Prisma.sql`
      select id from groups where tenant_id = ${tenantId} and id in (
        select group_id from memberships where tenant_id = ${tenantId} and user_id = any(${ids}::text[]))
      order by id for no key update`);
    const locked = await query<{ id: UserId }>(Prisma.sql`
      select id from users where tenant_id = ${tenantId} and id = any(${ids}::text[]) order by id for update`);
    const known = new Set(locked.map((row) => row.id));
    const unknown = ids.filter((id) => !known.has(id));
    if (unknown.length > 0) throw refuse.unknownUsers(unknown);
    const ended = await endMemberships(tx, {
      where: Prisma.sql`user_id = any(${ids}::text[])`,
      cause: 'USER_REMOVED',
    });
    // A user created later with the same id is another user: restoring a group must not restore these memberships.
    await query(Prisma.sql`
      update membership_history set user_removed = true
      where tenant_id = ${tenantId} and user_id = any(${ids}::text[]) and deletion_id is not null`);
    await query(Prisma.sql`delete from users where tenant_id = ${tenantId} and id = any(${ids}::text[])`);
    for (const [groupId, memberships] of Map.groupBy(ended, (membership) => membership.groupId)) {
      const userIds = memberships.map(({ userId }) => userId);
      tx.record({ type: 'group_membership.removed', groupId, data: { userIds, cause: 'USER_REMOVED' } });
    }
    return { removed: ids, endedMembershipCount: ended.length };
  });
}

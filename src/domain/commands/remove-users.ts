// Removes users from the directory's copy of the platform's users, and ends their memberships; erases their personal data.

import { Prisma } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import { parseInput } from '../../model/input.ts';
import { type RemoveUsersInput, removeUsersInput } from '../../model/users.ts';
import type { Directory, Positioned } from '../directory.ts';
import type { WriteContext } from '../log/write-context.ts';
import { endMemberships } from '../writes/edges.ts';
import { blankUsers } from '../writes/users.ts';
import { endUserVersions } from '../writes/versions.ts';
import { assertBatchSize, assertKnownUsers, requireTenant } from './rules/targets.ts';

export type RemovedUsers = Positioned & { removed: string[]; endedMembershipCount: number };
export type ErasedUsers = Positioned & { erased: string[]; endedMembershipCount: number };

/**
 * Removes all users and ends their memberships, or none. The past still names them.
 * Refused: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED, UNKNOWN_USERS.
 */
export async function removeUsers(directory: Directory, input: RemoveUsersInput): Promise<RemovedUsers> {
  return changeUsers(directory, input, async (tx, ids) => {
    await assertKnownUsers(tx, ids);
    return { removed: ids, endedMembershipCount: await remove(tx, ids) };
  });
}

/**
 * Removes the users who are not removed yet, and blanks email addresses and names of all of them for good, in the history too.
 * The ids stay. Refused: NOT_FOUND, FORBIDDEN, LIMIT_EXCEEDED, UNKNOWN_USERS (ids that the tenant never had).
 */
export async function eraseUsers(directory: Directory, input: RemoveUsersInput): Promise<ErasedUsers> {
  return changeUsers(directory, input, async (tx, ids) => {
    const rows = await tx.query<{ id: string; isLive: boolean; isErased: boolean }>(Prisma.sql`
      select id, until is null as "isLive", until is not null and email = '' as "isErased" from users
      where tenant_id = ${tx.tenantId} and id = any(${ids}::text[])`);
    const stored = new Map(rows.map((row) => [row.id, row]));
    const unknown = ids.filter((id) => !stored.has(id));
    if (unknown.length > 0) throw refuse.unknownUsers(unknown);
    const live = ids.filter((id) => stored.get(id)!.isLive);
    const endedMembershipCount = await remove(tx, live);
    const erasable = ids.filter((id) => !stored.get(id)!.isErased);
    if (erasable.length > 0) {
      await blankUsers(tx, erasable);
      tx.record({ type: 'users.erased', userIds: erasable });
    }
    return { erased: ids, endedMembershipCount };
  });
}

/** Runs a change of the users, each named once. */
async function changeUsers<Result extends object>(
  directory: Directory,
  input: RemoveUsersInput,
  work: (tx: WriteContext, ids: string[]) => Promise<Result>,
) {
  const { tenantId, userIds } = parseInput(removeUsersInput, input);
  assertBatchSize(userIds);
  await requireTenant(directory, tenantId);
  return directory.transact(tenantId, (tx) => work(tx, [...new Set(userIds)]));
}

/** Removes live users, records it, and returns how many memberships ended. */
async function remove(tx: WriteContext, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0;
  const { query, tenantId, position, at } = tx;
  const ended = await endMemberships(tx, {
    where: Prisma.sql`user_id = any(${[...ids]}::text[])`,
    cause: 'USER_REMOVED',
  });
  endUserVersions(tx, ids);
  await query(Prisma.sql`
    update users set until = ${position}::bigint, updated_at = ${at}::timestamptz
    where tenant_id = ${tenantId} and id = any(${[...ids]}::text[])`);
  for (const [groupId, memberships] of Map.groupBy(ended, (membership) => membership.groupId)) {
    const userIds = memberships.map(({ userId }) => userId);
    tx.record({ type: 'group_membership.removed', groupId, userIds, cause: 'USER_REMOVED' });
  }
  tx.record({ type: 'users.removed', userIds: ids });
  return ended.length;
}

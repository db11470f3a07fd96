// Moves groups and users to the history as they are, before a change of theirs: what they were can be read as of a position.
import { Prisma, type Sql } from '../../database/database.ts';
import { GROUP_COLUMNS, USER_COLUMNS } from '../log/tables.ts';
import type { WriteContext } from '../log/write-context.ts';

/**
 * Must be called before live groups are changed, moved or deleted; the change then sets `version_since` to its position. A
 * version that this very change began leaves none. `where` says which groups.
 */
export function endGroupVersions({ send, tenantId, position }: WriteContext, where: Sql): void {
  send(Prisma.sql`
    insert into group_history (tenant_id, id, since, until, ${GROUP_COLUMNS})
    select tenant_id, id, version_since, ${position}::bigint, ${GROUP_COLUMNS}
    from groups where tenant_id = ${tenantId} and deleted_at is null and version_since < ${position}::bigint and ${where}`);
}

/** Must be called before live users are changed or removed, like `endGroupVersions`. */
export function endUserVersions(
  { send, tenantId, position }: WriteContext,
  userIds: readonly string[],
): void {
  send(Prisma.sql`
    insert into user_history (tenant_id, id, since, until, created_since, ${USER_COLUMNS})
    select tenant_id, id, version_since, ${position}::bigint, since, ${USER_COLUMNS}
    from users where tenant_id = ${tenantId} and id = any(${[...userIds]}::text[]) and until is null
      and version_since < ${position}::bigint`);
}

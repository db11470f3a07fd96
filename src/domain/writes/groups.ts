// Reading a group that is to be changed, and its own fields as changes of the log hold and columns store them.
import { isDeepStrictEqual } from 'node:util';
import { Prisma, type Sql } from '../../database/database.ts';
import { refuse } from '../../model/errors.ts';
import type { GroupId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Change } from '../log/changes.ts';
import type { WriteContext } from '../log/write-context.ts';
import { type Group, groupColumns } from '../rows/groups.ts';

/** The live group of the tenant. Refused with NOT_FOUND if the group is deleted or not in the tenant. */
export async function requireLiveGroup({ query, tenantId }: WriteContext, id: GroupId): Promise<Group> {
  const [row] = await query<Group>(Prisma.sql`
    select ${groupColumns} from groups g where g.tenant_id = ${tenantId} and g.id = ${id} and g.deleted_at is null`);
  if (!row) throw refuse.notFound(id);
  return row;
}

/** The fields that an update may change, named in the event's `changed`. */
const CHANGEABLE = ['name', 'description', 'parentGroupId', 'customAttributes'] as const;

type Fields = Pick<Group, (typeof CHANGEABLE)[number] | 'type'>;

/** The fields of a group that changes record. */
export const groupFields = (group: Fields): Fields =>
  Object.fromEntries([...CHANGEABLE, 'type' as const].map((field) => [field, group[field]])) as Fields;

/** A JSON object as a jsonb parameter; SQL null if there is none. */
export const jsonb = (value: JsonObject | null | undefined): Sql =>
  Prisma.sql`${value == null ? null : JSON.stringify(value)}::text::jsonb`;

/** The change that records an update, with the group before and after it. */
export const updatedChange = (before: Fields & { id: GroupId }, after: Fields): Change => ({
  type: 'group.updated',
  groupId: before.id,
  data: {
    changed: changedFields(before, after),
    before: groupFields(before),
    after: groupFields(after),
  },
});

export function changedFields(before: Fields, after: Fields): string[] {
  return CHANGEABLE.filter((field) => !isDeepStrictEqual(asJson(before[field]), asJson(after[field])));
}

/** As jsonb stores it: objects of GraphQL literals have another prototype, and there is no -0. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

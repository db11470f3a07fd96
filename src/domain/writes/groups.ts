// Reading a group that is to be changed, and its own fields as changes of the log hold and columns store them.
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

type Fields = Pick<Group, 'name' | 'description' | 'type' | 'parentGroupId' | 'customAttributes'>;

/** The fields of a group that changes record. */
export const groupFields = ({
  name,
  description,
  type,
  parentGroupId,
  customAttributes,
}: Fields): Fields => ({
  name,
  description,
  type,
  parentGroupId,
  customAttributes,
});

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

/** The fields that an update may change, named in the event's `changed`. */
const CHANGEABLE = ['name', 'description', 'parentGroupId', 'customAttributes'] as const;

export function changedFields(before: Fields, after: Fields): string[] {
  return CHANGEABLE.filter((field) => !sameJson(before[field], after[field]));
}

/** Whether two JSON values are equal; as in jsonb, the order of keys is irrelevant. */
function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(left, sortKeys) === JSON.stringify(right, sortKeys);
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

// The import format: its sections, and a schema for the rows of each.
import { z } from 'zod';
import { createGroupInput } from '../model/groups.ts';
import { groupId, partnerId, tenantId, userId } from '../model/ids.ts';
import { label } from '../model/tenants.ts';
import { userInput } from '../model/users.ts';

const { name, description, type, parentGroupId, customAttributes } = createGroupInput.shape;

/** One schema per section. Unknown fields are refused, because they would be lost silently. */
export const SECTIONS = {
  partners: z.strictObject({ id: partnerId, name: label }),
  tenants: z.strictObject({ id: tenantId, partnerId, name: label, slug: label }),
  users: z.strictObject({ ...userInput.shape, tenantId }),
  groups: z.strictObject({
    id: groupId,
    tenantId,
    name,
    description,
    groupType: type,
    parentGroupId,
    customAttributes,
  }),
  memberships: z.strictObject({ groupId, userId }),
  nestings: z.strictObject({ parentGroupId: groupId, childGroupId: groupId }),
};

export type Section = keyof typeof SECTIONS;
export type Rows = { [Name in Section]: z.output<(typeof SECTIONS)[Name]> };
/**
 * A row as read: its section, its index there, and a fault of its JSON. If the section is not an array, `index` is null and
 * `row` is undefined.
 */
export type SourceRow = { section: string; index: number | null; row: unknown; fault?: string };
export type Source = AsyncIterable<SourceRow> | Iterable<SourceRow>;

export const isSection = (section: string): section is Section => Object.hasOwn(SECTIONS, section);

// Rows of the import format: their sections, and the rules that each row must keep.
import { z } from 'zod';
import { createGroupInput } from '../model/groups.ts';
import { groupId, partnerId, tenantId, userId } from '../model/ids.ts';
import { nameLine } from '../model/text.ts';
import { userInput } from '../model/users.ts';

const label = nameLine();
const { name, description, type, parentGroupId, customAttributes } = createGroupInput.shape;

/** One schema for each section. A row with fields of other names is refused: they would be lost. */
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
 * A row as it was read: its section, its place there, counted from 0, and what is wrong with it as JSON. `index` is null, and
 * there is no row, where the section is no array.
 */
export type SourceRow = { section: string; index: number | null; row: unknown; fault?: string };
export type Source = AsyncIterable<SourceRow> | Iterable<SourceRow>;

export const isSection = (section: string): section is Section => Object.hasOwn(SECTIONS, section);

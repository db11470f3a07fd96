// Rows of the import format: their sections, and the rules that each row must keep.
import { z } from 'zod';
import { createGroupInput } from '../../model/groups.ts';
import { groupId, partnerId, tenantId, userId } from '../../model/ids.ts';
import { userInput } from '../../model/users.ts';

const label = z.string().trim().min(1).max(255);

/** One schema for each section, in the order in which a file holds them. Sections of other names are skipped. */
export const SECTIONS = {
  partners: z.object({ id: partnerId, name: label }),
  tenants: z.object({ id: tenantId, partnerId, name: label, slug: label }),
  users: userInput.extend({ tenantId }),
  groups: z.object({
    id: groupId,
    tenantId,
    name: createGroupInput.shape.name,
    description: createGroupInput.shape.description,
    groupType: createGroupInput.shape.type,
    parentGroupId: createGroupInput.shape.parentGroupId,
    customAttributes: createGroupInput.shape.customAttributes,
  }),
  memberships: z.object({ groupId, userId }),
  nestings: z.object({ parentGroupId: groupId, childGroupId: groupId }),
};

export type Section = keyof typeof SECTIONS;
export type Rows = { [Name in Section]: z.output<(typeof SECTIONS)[Name]> };
/** A row as it was read: its section and its place there, counted from 0. */
export type SourceRow = { section: string; index: number; row: unknown };
export type Source = AsyncIterable<SourceRow> | Iterable<SourceRow>;

export const isSection = (name: string): name is Section => Object.hasOwn(SECTIONS, name);

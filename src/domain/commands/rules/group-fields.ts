// A group's own fields, as events hold them and columns store them.
import { Prisma } from '../../../database/database.ts';
import type { JsonObject } from '../../../model/json.ts';
import type { Group } from '../../rows/groups.ts';

export const groupFields = ({ name, description, type, parentGroupId, customAttributes }: Group) => ({
  name,
  description,
  type,
  parentGroupId,
  customAttributes,
});

export const jsonb = (value: JsonObject | null | undefined) =>
  Prisma.sql`${value == null ? null : JSON.stringify(value)}::text::jsonb`;

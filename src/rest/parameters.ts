// Schemas of path and query parameters, with the rules of the model.
import { z } from '@hono/zod-openapi';
import { DELETE_STRATEGIES } from '../model/groups.ts';
import { groupId, partnerId, tenantId, userId } from '../model/ids.ts';
import { searchText } from '../model/text.ts';
import { pageQuery } from './envelopes.ts';
import { EXAMPLES } from './examples.ts';
import { GroupType } from './group-schemas.ts';
import { INCLUDES } from './responses.ts';

const INCLUDE_NAMES = INCLUDES.map((name) => `\`${name}\``).join(', ');

const described = (description: string, example: string) => ({ description, param: { example } });

const groupNamed = (example: string) => groupId.meta(described('Id of the group.', example));
const group_id = groupNamed(EXAMPLES.group);
const tenant_id = tenantId.meta(described('Id of the tenant.', EXAMPLES.tenant));

export const groupPath = z.object({ group_id });
export const memberPath = z.object({
  group_id,
  user_id: userId.meta(described('Id of the user.', EXAMPLES.user)),
});
export const nestedGroupPath = z.object({
  group_id,
  child_group_id: groupId.meta(described('Id of the nested group.', EXAMPLES.nestedGroup)),
});
export const tenantPath = z.object({ tenant_id });
export const tenantGroupPath = z.object({ tenant_id, group_id });
/** Paths of deletions: their examples name groups that no other operation uses. */
export const deletedGroupPath = z.object({ group_id: groupNamed(EXAMPLES.deletedGroups.admin) });
export const deletedTenantGroupPath = z.object({
  tenant_id,
  group_id: groupNamed(EXAMPLES.deletedGroups.tenant),
});

export const numbered = z.object(pageQuery);

const search = searchText
  .optional()
  .meta(
    described('Words of the name or description, in any order, ignoring case and accents.', EXAMPLES.search),
  );

export const adminGroupsQuery = z.object({
  ...pageQuery,
  search,
  tenant_id: tenantId.optional().meta(described('Only groups of this tenant.', EXAMPLES.tenant)),
  partner_id: partnerId
    .optional()
    .meta(described('Filter by partner (all tenants in partner).', EXAMPLES.partner)),
  group_type: GroupType.optional().meta(described('Only groups of this type.', 'SECURITY')),
});

export const tenantGroupsQuery = z.object({
  ...pageQuery,
  search,
  type: GroupType.optional().meta(described('Only groups of this type.', 'SECURITY')),
  parent_group_id: groupId
    .optional()
    .meta(described('Only groups whose parent is this group.', EXAMPLES.parentGroup)),
  user_id: userId
    .optional()
    .meta(described('Only groups that this user is a direct member of.', EXAMPLES.member)),
});

export const includeQuery = z.object({
  include: z
    .string()
    .transform((text) => text.split(',').map((name) => name.trim()))
    .transform((names) => names.filter((name) => name !== ''))
    .pipe(z.array(z.enum(INCLUDES)))
    .optional()
    .openapi({
      type: 'string',
      param: { example: 'members,effective_member_count' },
      pattern: `^((${INCLUDES.join('|')})(,|$))*$`,
      description: `Fields to add, separated by commas: ${INCLUDE_NAMES}. A list of more than 10,000 entries is refused.`,
    }),
});

export const strategyQuery = z.object({
  strategy: z
    .enum(DELETE_STRATEGIES)
    .default('BLOCK')
    .meta(described("What happens to the group's members, children and nested groups.", 'ORPHAN')),
});

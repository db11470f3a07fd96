// What stands in paths and queries, with the rules of the model.
import { z } from '@hono/zod-openapi';
import { DELETE_STRATEGIES } from '../model/groups.ts';
import { groupId, partnerId, tenantId, userId } from '../model/ids.ts';
import { searchText } from '../model/text.ts';
import { pageQuery } from './envelopes.ts';
import { INCLUDES } from './group-bodies.ts';
import { GroupType } from './group-schemas.ts';

const group_id = groupId.meta({ description: 'Id of the group.' });
const tenant_id = tenantId.meta({ description: 'Id of the tenant.' });

export const groupPath = z.object({ group_id });
export const memberPath = z.object({ group_id, user_id: userId.meta({ description: 'Id of the user.' }) });
export const nestedGroupPath = z.object({
  group_id,
  child_group_id: groupId.meta({ description: 'Id of the group nested in it.' }),
});
export const tenantPath = z.object({ tenant_id });
export const tenantGroupPath = z.object({ tenant_id, group_id });

export const numbered = z.object(pageQuery);

const search = searchText.optional().meta({ description: 'Part of the name or description, ignoring case.' });

export const adminGroupsQuery = z.object({
  ...pageQuery,
  search,
  tenant_id: tenantId.optional().meta({ description: 'Only groups of this tenant.' }),
  partner_id: partnerId.optional().meta({ description: 'Filter by partner (all tenants in partner).' }),
  group_type: GroupType.optional().openapi({ description: 'Only groups of this type.' }),
});

export const tenantGroupsQuery = z.object({
  ...pageQuery,
  search,
  type: GroupType.optional().openapi({ description: 'Only groups of this type.' }),
  parent_group_id: groupId.optional().meta({ description: 'Only groups filed directly under this one.' }),
  user_id: userId.optional().meta({ description: 'Only groups that this user is a direct member of.' }),
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
      pattern: `^((${INCLUDES.join('|')})(,|$))*$`,
      description: `What to add, as a comma list of ${INCLUDES.map((name) => `\`${name}\``).join(', ')}. A list above 10,000 entries is refused, not cut.`,
    }),
});

export const strategyQuery = z.object({
  strategy: z
    .enum(DELETE_STRATEGIES)
    .default('BLOCK')
    .openapi({ description: 'What becomes of what the group holds.' }),
});

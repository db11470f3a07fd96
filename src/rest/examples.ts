// Example values of the OpenAPI document: ids of the demo directory, chosen so that all operations succeed in order.

const TENANT = 'tnt_Northwind0000000';
/** First line: has members, a nested group and groups that it is nested in. No operation deletes it. */
const GROUP = 'grp_north022Firstlin';
/** On call, the parent of First line. */
const PARENT = 'grp_north021Oncall00';
const USER = 'usr_north00010000000';
/** Facilities, which may be nested in First line but is not. */
const OTHER_GROUP = 'grp_north009Faciliti';

/** Examples of parameters. */
export const EXAMPLES = {
  tenant: TENANT,
  partner: 'prt_Meridian00000000',
  group: GROUP,
  parentGroup: PARENT,
  user: USER,
  /** A member of First line that no operation removes. */
  member: 'usr_north00870000000',
  search: 'line',
  nestedGroup: OTHER_GROUP,
  /** Payroll and Learning: no other operation uses them, so each may be deleted. */
  deletedGroups: { admin: 'grp_north017Payroll0', tenant: 'grp_north020Learning' },
} as const;

/** Examples of bodies. */
export const BODIES = {
  createGroup: {
    name: 'Book club',
    description: 'Reads on Thursdays',
    group_type: 'DISTRIBUTION',
    parent_group_id: PARENT,
    initial_members: [USER],
    custom_attributes: { room: 'B 12' },
  },
  // The name differs from the one above, so that both groups can be created in one directory.
  adminCreateGroup: { tenant_id: TENANT, name: 'Chess club', description: 'Plays on Mondays' },
  updateGroup: { description: 'Answers first' },
  updateMembers: { users_to_add: ['usr_north00030000000'], users_to_remove: ['usr_north00040000000'] },
  addMembers: { user_ids: [USER] },
  nestGroups: { group_ids: [OTHER_GROUP] },
  evaluateAccess: {
    subject: { type: 'user', id: USER },
    action: { name: 'member' },
    resource: { type: 'group', id: GROUP },
  },
  evaluateAccesses: {
    subject: { type: 'user', id: USER },
    action: { name: 'member' },
    evaluations: [{ resource: { type: 'group', id: GROUP } }, { resource: { type: 'group', id: PARENT } }],
  },
} as const;

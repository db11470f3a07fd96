// Values for the examples of the OpenAPI document: ids of the demo directory, chosen so that all operations succeed in turn.

const TENANT = 'tnt_Northwind0000000';
/** First line: it has members, a nested group and groups that it is nested in, and stays through all operations. */
const GROUP = 'grp_north022Firstlin';
/** On call, under which it is filed. */
const PARENT = 'grp_north021Oncall00';
const USER = 'usr_north00010000000';
/** Facilities, which is not nested in it and may be. */
const OTHER_GROUP = 'grp_north009Faciliti';

/** Of parameters. */
export const EXAMPLES = {
  tenant: TENANT,
  partner: 'prt_Meridian00000000',
  group: GROUP,
  parentGroup: PARENT,
  user: USER,
  /** A member of First line whom no operation removes. */
  member: 'usr_north00870000000',
  search: 'line',
  nestedGroup: OTHER_GROUP,
  /** Payroll and Learning: no other operation is about them, so that each may be deleted. */
  deletedGroups: { admin: 'grp_north017Payroll0', tenant: 'grp_north020Learning' },
} as const;

/** Of bodies. */
export const BODIES = {
  createGroup: {
    name: 'Book club',
    description: 'Reads on Thursdays',
    group_type: 'DISTRIBUTION',
    parent_group_id: PARENT,
    initial_members: [USER],
    custom_attributes: { room: 'B 12' },
  },
  // Another name: both may be created in one directory.
  adminCreateGroup: { tenant_id: TENANT, name: 'Chess club', description: 'Plays on Mondays' },
  updateGroup: { description: 'Answers first' },
  updateMembers: { users_to_add: ['usr_north00030000000'], users_to_remove: ['usr_north00040000000'] },
  addMembers: { user_ids: [USER] },
  nestGroups: { group_ids: [OTHER_GROUP] },
} as const;

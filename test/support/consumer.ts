// A consumer of the change feed: a copy of one tenant's directory that knows nothing but the events it was sent.

/** An event as `GET /api/v1/tenants/{id}/changes` sends it. */
export type ChangeEvent = {
  event_type: string;
  resource: { type: string; id: string };
  position: string;
  cursor: string;
  data: {
    user_ids?: string[];
    child_group_ids?: string[];
    changed?: string[];
    after?: Record<string, unknown>;
    parent_group_id?: string | null;
    upserts?: { user_id: string; after?: { email: string; display_name: string | null } }[];
  };
};

export type CopiedGroup = {
  name: string;
  description: string | null;
  parentGroupId: string | null;
  type: string;
  members: Set<string>;
  nested: Set<string>;
};

export class Copy {
  readonly groups = new Map<string, CopiedGroup>();
  readonly users = new Map<string, { email: string; displayName: string | null }>();
  /** Deleted groups: what a restoration brings back beside the edges that it names. */
  readonly #deleted = new Map<string, CopiedGroup>();

  apply({ event_type: type, resource: { id }, data }: ChangeEvent): void {
    const { user_ids: userIds = [], child_group_ids: childGroupIds = [], after = {}, upserts = [] } = data;
    if (type === 'group.created')
      this.groups.set(id, {
        name: String(after.name),
        description: (after.description ?? null) as string | null,
        parentGroupId: (after.parent_group_id ?? null) as string | null,
        type: String(after.group_type),
        members: new Set(),
        nested: new Set(),
      });
    if (type === 'group.restored') {
      const group = this.#deleted.get(id)!;
      this.groups.set(id, { ...group, parentGroupId: data.parent_group_id ?? null });
    }
    for (const { user_id, after: values } of upserts)
      if (values) this.users.set(user_id, { email: values.email, displayName: values.display_name });
    if (type === 'users.removed') for (const userId of userIds) this.users.delete(userId);
    const group = this.groups.get(id);
    if (!group) return;
    if (type === 'group.updated')
      for (const field of data.changed!) {
        if (field === 'name') group.name = String(after.name);
        if (field === 'description') group.description = after.description as string | null;
        if (field === 'parent_group_id') group.parentGroupId = after.parent_group_id as string | null;
      }
    if (type === 'group_membership.added' || type === 'group.restored')
      for (const userId of userIds) group.members.add(userId);
    if (type === 'group_membership.removed' || type === 'group.deleted')
      for (const userId of userIds) group.members.delete(userId);
    if (type === 'group_nesting.added' || type === 'group.restored')
      for (const childId of childGroupIds) group.nested.add(childId);
    if (type === 'group_nesting.removed' || type === 'group.deleted')
      for (const childId of childGroupIds) group.nested.delete(childId);
    if (type === 'group.deleted') {
      this.groups.delete(id);
      this.#deleted.set(id, group);
    }
  }
}

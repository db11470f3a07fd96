// The domain's rules in plain data: what a directory of one tenant must do, written without SQL. The property test
// holds the real one to it. Everything is recomputed from the edges on each question; nothing is clever.

export type ModelGroup = {
  id: string;
  name: string;
  parent: string | null;
  deletion: number | null;
  /** Deletions that moved it up since somebody filed it. */
  movedBy: number[];
  /** While it is deleted: groups that go back under it with its restoration, if the deletion is still in their `movedBy`. */
  moved: Set<string>;
};
/** `standsFor`: deletions in whose groups' place it was put; null once somebody asked for it. */
type Edge = { parent: string; child: string; standsFor: number[] | null };
type Membership = { group: string; user: string };
/** `person`: how often the user's id had been removed by then; a user created again with an id is another person. */
type EndedMembership = Membership & { person: number };
type Ended = { deletion: number; memberships: EndedMembership[]; nestings: Edge[] };

/** What an operation comes to: its result, or the code it is refused with. */
export type Outcome = { ok: unknown } | { code: string };

const MAX_DEPTH = 32;
const sorted = (values: Iterable<string>) => [...values].sort();

export class Model {
  readonly groups = new Map<string, ModelGroup>();
  readonly users: Set<string>;
  private readonly removals = new Map<string, number>();
  memberships: Membership[] = [];
  nestings: Edge[] = [];
  readonly ended: Ended[] = [];

  constructor(users: Iterable<string>) {
    this.users = new Set(users);
  }

  /** A copy, which later changes leave as it is. */
  copy(): Model {
    const { groups, users, memberships, nestings } = structuredClone({ ...this });
    return Object.assign(new Model(users), { groups, memberships, nestings });
  }

  live(id: string | null): ModelGroup | undefined {
    const group = id === null ? undefined : this.groups.get(id);
    return group && group.deletion === null ? group : undefined;
  }
  children(id: string | null): ModelGroup[] {
    return [...this.groups.values()].filter((group) => group.deletion === null && group.parent === id);
  }
  members(id: string): string[] {
    return sorted(this.memberships.filter((edge) => edge.group === id).map((edge) => edge.user));
  }
  nested(id: string): string[] {
    return sorted(this.nestings.filter((edge) => edge.parent === id).map((edge) => edge.child));
  }
  effectiveMembers(id: string): string[] {
    const reached = new Set([id]);
    for (const at of reached) for (const child of this.nested(at)) reached.add(child);
    return sorted(new Set([...reached].flatMap((group) => this.members(group))));
  }
  /** All paths from a user up to a group, as ids of groups joined by spaces. */
  paths(id: string, user: string): string[] {
    const own = this.members(id).includes(user) ? [id] : [];
    return [
      ...own,
      ...this.nested(id).flatMap((child) => this.paths(child, user).map((path) => `${path} ${id}`)),
    ];
  }
  path(id: string): string[] {
    const above = this.live(this.groups.get(id)!.parent);
    return above ? [...this.path(above.id), above.name] : [];
  }

  /** All that a change can have an effect on which the log tells of. */
  state(): string {
    const groups = [...this.groups.values()].map(({ id, name, parent, deletion }) => [
      id,
      name,
      parent,
      deletion,
    ]);
    return JSON.stringify([groups, sorted(this.users), this.edges()]);
  }
  /** Current edges, as `group user` and `parent > child`, sorted. */
  edges(): string[] {
    return sorted([
      ...this.memberships.map(({ group, user }) => `${group} ${user}`),
      ...this.nestings.map(({ parent, child }) => `${parent} > ${child}`),
    ]);
  }

  createUsers(ids: string[]): Outcome {
    const created = ids.filter((id) => !this.users.has(id));
    for (const id of created) this.users.add(id);
    return { ok: created };
  }

  removeUsers(ids: string[]): Outcome {
    if (ids.some((id) => !this.users.has(id))) return { code: 'UNKNOWN_USERS' };
    const removed = [...new Set(ids)];
    const left = this.memberships.filter(({ user }) => !removed.includes(user));
    const memberships = this.memberships.length - left.length;
    this.memberships = left;
    for (const id of removed) {
      this.users.delete(id);
      this.removals.set(id, this.person(id) + 1);
    }
    return { ok: { removed, memberships } };
  }

  create(id: string, name: string, parent: string | null, members: string[]): Outcome {
    if (parent !== null && !this.live(parent)) return { code: 'NOT_FOUND' };
    if (parent !== null && this.path(parent).length + 2 > MAX_DEPTH) return { code: 'LIMIT_EXCEEDED' };
    if (this.nameTaken(name, parent, null)) return { code: 'NAME_TAKEN' };
    if (members.some((user) => !this.users.has(user))) return { code: 'UNKNOWN_USERS' };
    this.groups.set(id, { id, name, parent, deletion: null, movedBy: [], moved: new Set() });
    for (const user of new Set(members)) this.memberships.push({ group: id, user });
    return { ok: id };
  }

  update(id: string, change: { name?: string; parent?: string | null }): Outcome {
    const group = this.live(id);
    if (!group) return { code: 'NOT_FOUND' };
    const parent = change.parent === undefined ? group.parent : change.parent;
    const name = change.name ?? group.name;
    if (parent !== null && parent !== group.parent) {
      if (!this.live(parent)) return { code: 'NOT_FOUND' };
      for (let at = this.live(parent); at; at = this.live(at.parent))
        if (at.id === id) return { code: 'CYCLE' };
      if (this.path(parent).length + 1 + this.height(id) > MAX_DEPTH) return { code: 'LIMIT_EXCEEDED' };
    }
    if (this.nameTaken(name, parent, id)) return { code: 'NAME_TAKEN' };
    if (parent !== group.parent) group.movedBy = [];
    Object.assign(group, { name, parent });
    return { ok: id };
  }

  nest(id: string, children: string[]): Outcome {
    if (!this.live(id) || children.some((child) => !this.live(child))) return { code: 'NOT_FOUND' };
    const asked = [...new Set(children)];
    const added = asked.filter((child) => !this.nested(id).includes(child));
    if (added.some((child) => this.reaches(child, id))) return { code: 'CYCLE' };
    if (added.some((child) => this.tooDeep(id, child))) return { code: 'LIMIT_EXCEEDED' };
    for (const edge of this.nestings)
      if (edge.parent === id && asked.includes(edge.child)) edge.standsFor = null;
    for (const child of added) this.nestings.push({ parent: id, child, standsFor: null });
    return { ok: { added, unchanged: asked.filter((child) => !added.includes(child)) } };
  }

  unnest(id: string, child: string): Outcome {
    if (!this.live(id) || !this.nested(id).includes(child)) return { code: 'NOT_FOUND' };
    this.nestings = this.nestings.filter((edge) => edge.parent !== id || edge.child !== child);
    return { ok: child };
  }

  change(id: string, add: string[], remove: string[]): Outcome {
    if (!this.live(id)) return { code: 'NOT_FOUND' };
    if ([...add, ...remove].some((user) => !this.users.has(user))) return { code: 'UNKNOWN_USERS' };
    const before = this.members(id);
    const added = [...new Set(add)].filter((user) => !before.includes(user));
    const removed = [...new Set(remove)].filter((user) => before.includes(user));
    for (const user of added) this.memberships.push({ group: id, user });
    this.memberships = this.memberships.filter((edge) => edge.group !== id || !removed.includes(edge.user));
    const unchanged = [...new Set([...add, ...remove])].filter(
      (user) => !added.includes(user) && !removed.includes(user),
    );
    return { ok: { added, removed, unchanged } };
  }

  delete(id: string, strategy: 'BLOCK' | 'ORPHAN' | 'CASCADE'): Outcome {
    const group = this.live(id);
    if (!group) return { code: 'NOT_FOUND' };
    const children = this.children(id);
    const deletion = this.ended.length;
    if (strategy === 'BLOCK' && this.members(id).length + children.length + this.nested(id).length > 0) {
      return { code: 'GROUP_NOT_EMPTY' };
    }
    if (strategy === 'ORPHAN') {
      const taken = this.children(group.parent).filter((sibling) => sibling.id !== id);
      if (children.some((child) => taken.some((sibling) => same(sibling.name, child.name))))
        return { code: 'NAME_TAKEN' };
      for (const child of children) {
        child.parent = group.parent;
        child.movedBy.push(deletion);
        group.moved.add(child.id);
      }
      for (const { parent } of this.nestings.filter((edge) => edge.child === id)) {
        for (const child of this.nested(id)) {
          const there = this.nestings.find((edge) => edge.parent === parent && edge.child === child);
          if (there) there.standsFor?.push(deletion);
          else this.nestings.push({ parent, child, standsFor: [deletion] });
        }
      }
    }
    const gone = new Set(strategy === 'CASCADE' ? this.below(id) : [id]);
    const memberships = this.memberships
      .filter((edge) => gone.has(edge.group))
      .map((edge) => ({ ...edge, person: this.person(edge.user) }));
    const nestings = this.nestings.filter((edge) => gone.has(edge.parent) || gone.has(edge.child));
    this.ended.push({ deletion, memberships, nestings });
    this.memberships = this.memberships.filter((edge) => !gone.has(edge.group));
    this.nestings = this.nestings.filter((edge) => !gone.has(edge.parent) && !gone.has(edge.child));
    for (const each of gone) this.groups.get(each)!.deletion = deletion;
    return {
      ok: {
        deleted: sorted(gone),
        moved: strategy === 'ORPHAN' ? sorted(children.map((child) => child.id)) : [],
        memberships: memberships.length,
      },
    };
  }

  restore(id: string, includeDescendants: boolean): Outcome {
    const group = this.groups.get(id);
    if (!group || group.deletion === null) return { code: 'NOT_FOUND' };
    const { deletion } = group;
    const back = new Set(includeDescendants ? this.deletedBelow(id, deletion) : [id]);
    const levels = Math.max(...[...back].map((each) => this.levelsUpTo(each, id)));
    const old = group.parent === null ? undefined : this.groups.get(group.parent);
    const fits = old?.deletion === null && this.path(old.id).length + 1 + levels <= MAX_DEPTH;
    const parent = fits ? old.id : null;
    // What returns to a group of this restoration is no longer where its parent comes back.
    const tree = [...back].map((each) => this.groups.get(each)!);
    const leaving = (each: ModelGroup) =>
      each.parent === parent &&
      each.movedBy.includes(deletion) &&
      tree.some((target) => target.moved.has(each.id));
    const stays = this.children(parent).filter((each) => !leaving(each));
    if (stays.some((each) => same(each.name, group.name))) return { code: 'NAME_TAKEN' };
    const lost: string[] = [];
    if (parent !== group.parent) lost.push(`PARENT ${group.parent}`);
    if (old && old.deletion !== null) {
      old.moved.add(id);
      group.movedBy.push(old.deletion);
    }
    group.parent = parent;
    for (const each of tree) each.deletion = null;
    for (const target of tree) this.returnChildren(target, deletion, lost);
    const { memberships, nestings } = this.ended[deletion]!;
    for (const { group: at, user, person } of memberships) {
      if (!back.has(at)) continue;
      if (!this.users.has(user) || person !== this.person(user)) lost.push(`MEMBERSHIP ${user}`);
      else if (!this.members(at).includes(user)) this.memberships.push({ group: at, user });
    }
    const isUndone = (each: number) => ![...this.groups.values()].some((other) => other.deletion === each);
    for (const edge of this.nestings) edge.standsFor &&= edge.standsFor.filter((each) => each !== deletion);
    const done = this.nestings.filter((edge) => edge.standsFor?.length === 0);
    const candidates = nestings
      .filter((edge) => back.has(edge.parent) || back.has(edge.child))
      .sort((a, b) => (`${a.parent} ${a.child}` < `${b.parent} ${b.child}` ? -1 : 1));
    const refused: Edge[] = [];
    const outlived: Edge[] = [];
    const far = (edge: Edge) => (back.has(edge.parent) ? edge.child : edge.parent);
    for (const edge of candidates) {
      if (this.nested(edge.parent).includes(edge.child)) continue;
      const other = this.groups.get(far(edge))!;
      const standsFor = edge.standsFor?.filter((each) => !isUndone(each)) ?? null;
      if (other.deletion !== null) {
        lost.push(`NESTING ${other.id}`);
        // It comes back with the other group.
        if (other.deletion !== deletion) this.ended[other.deletion]!.nestings.push(edge);
      } else if (standsFor?.length === 0) outlived.push({ ...edge, standsFor: null });
      else if (!this.reaches(edge.child, edge.parent) && !this.tooDeep(edge.parent, edge.child))
        this.nestings.push({ ...edge, standsFor });
      else {
        refused.push(edge);
        lost.push(`NESTING ${other.id}`);
      }
    }
    // What stood for the groups ends, but where a refused nesting would leave the child outside the parent.
    this.nestings = this.nestings.filter((edge) => !done.includes(edge));
    const isCut = ({ parent: from, child: to }: Edge) => !this.reaches(from, to);
    const cut = [...done, ...outlived].filter(isCut);
    const kept = cut.filter(({ parent: from, child: to }) => {
      const reached = new Set([from]);
      for (const at of reached)
        for (const edge of [...this.nestings, ...refused]) if (edge.parent === at) reached.add(edge.child);
      return reached.has(to);
    });
    for (const edge of kept.filter((each) => done.includes(each)))
      this.nestings.push({ ...edge, standsFor: null });
    for (const edge of outlived.filter((each) => cut.includes(each))) {
      const keeps =
        kept.includes(edge) &&
        !this.reaches(edge.child, edge.parent) &&
        !this.tooDeep(edge.parent, edge.child);
      if (keeps) this.nestings.push(edge);
      else lost.push(`NESTING ${far(edge)}`);
    }
    return { ok: { restored: sorted(back), lost: sorted(lost) } };
  }

  private returnChildren(target: ModelGroup, deletion: number, lost: string[]): void {
    const moved = [...target.moved].map((id) => this.groups.get(id)!);
    target.moved = new Set();
    moved.sort((a, b) => (`${a.name.toLowerCase()} ${a.id}` < `${b.name.toLowerCase()} ${b.id}` ? -1 : 1));
    for (const child of moved) {
      let cycle = false;
      for (let at = this.live(target.id); at; at = this.live(at.parent)) cycle ||= at.id === child.id;
      const fits =
        child.deletion === null &&
        !cycle &&
        this.path(target.id).length + 1 + this.height(child.id) <= MAX_DEPTH &&
        !this.nameTaken(child.name, target.id, child.id);
      const isMovedBy = child.movedBy.includes(deletion);
      if (!fits || !isMovedBy) lost.push(`CHILD ${child.id}`);
      // One that is deleted comes back here with its own restoration.
      if (isMovedBy && (fits || child.deletion !== null)) {
        const at = child.movedBy.indexOf(deletion);
        const later = child.movedBy.slice(at + 1);
        for (const other of this.groups.values())
          if (other.deletion !== null && later.includes(other.deletion)) other.moved.delete(child.id);
        Object.assign(child, { parent: target.id, movedBy: child.movedBy.slice(0, at) });
      }
    }
  }

  private person(user: string): number {
    return this.removals.get(user) ?? 0;
  }
  private nameTaken(name: string, parent: string | null, except: string | null): boolean {
    return this.children(parent).some((group) => group.id !== except && same(group.name, name));
  }
  private reaches(from: string, to: string): boolean {
    return from === to || this.nested(from).some((child) => this.reaches(child, to));
  }
  private tooDeep(parent: string, child: string): boolean {
    const above = (id: string): number =>
      1 + Math.max(0, ...this.nestings.filter((edge) => edge.child === id).map((edge) => above(edge.parent)));
    const below = (id: string): number => 1 + Math.max(0, ...this.nested(id).map(below));
    return above(parent) + below(child) > MAX_DEPTH;
  }
  private height(id: string): number {
    return 1 + Math.max(0, ...this.children(id).map((child) => this.height(child.id)));
  }
  private below(id: string): string[] {
    return [id, ...this.children(id).flatMap((child) => this.below(child.id))];
  }
  private deletedBelow(id: string, deletion: number): string[] {
    const children = [...this.groups.values()].filter(
      (group) => group.parent === id && group.deletion === deletion,
    );
    return [id, ...children.flatMap((child) => this.deletedBelow(child.id, deletion))];
  }
  private levelsUpTo(id: string, root: string): number {
    return id === root ? 1 : 1 + this.levelsUpTo(this.groups.get(id)!.parent!, root);
  }
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

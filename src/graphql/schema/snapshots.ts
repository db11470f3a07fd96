// Snapshots: rows of the directory as of a position, their types, and how lists of them become connections.
import type { GraphQLResolveInfo } from 'graphql';
import type { Directory } from '../../domain/directory.ts';
import type { FilterArgs } from '../../domain/queries/group-filters.ts';
import type { AnyGroup } from '../../domain/rows/groups.ts';
import type { MemberRow } from '../../domain/rows/members.ts';
import type { UserRow } from '../../domain/rows/users.ts';
import { type Page, type PageArgs, withRows } from '../../model/page.ts';
import { builder } from './builder.ts';
import { connectionCost } from './complexity.ts';
import { connection } from './connections.ts';
import { groupListArgs } from './group-inputs.ts';

/** A row as of the position of its directory. */
export type Snapshot<Row> = { row: Row; directory: Directory };

export const snapshotOf = <Row>(row: Row | null, directory: Directory): Snapshot<Row> | null =>
  row && { row, directory };

/** The listing of a connection of snapshots, from one of rows. */
export const listing = <Row>(
  directory: Directory,
  list: (page: PageArgs) => Promise<Page<Row> | null>,
  count: () => Promise<number | null>,
) => ({
  list: async (args: PageArgs) => {
    const page = await list(args);
    return (
      page &&
      withRows(
        page,
        page.rows.map((row) => ({ row, directory })),
      )
    );
  },
  count,
});

export const GroupSnapshot = builder.objectRef<Snapshot<AnyGroup>>('GroupSnapshot');
export const GroupSnapshots = builder.connectionObject(
  { type: GroupSnapshot, name: 'GroupSnapshotConnection', description: 'A page of groups as they were.' },
  { name: 'GroupSnapshotEdge', description: 'A group as it was, at its position in the list.' },
);
export const UserSnapshot = builder.objectRef<Snapshot<UserRow>>('UserSnapshot');
export const UserSnapshots = builder.connectionObject(
  { type: UserSnapshot, name: 'UserSnapshotConnection', description: 'A page of users as they were.' },
  { name: 'UserSnapshotEdge', description: 'A user as it was, at its position in the list.' },
);
export const MemberSnapshot = builder.objectRef<Snapshot<MemberRow>>('MemberSnapshot');
export const MemberSnapshots = builder.connectionObject(
  { type: MemberSnapshot, name: 'MemberSnapshotConnection', description: 'A page of members as they were.' },
  { name: 'MemberSnapshotEdge', description: 'A member as it was, at its position in the list.' },
);

/** The lists of groups of a group or a user. */
type GroupLists = {
  page(
    directory: Directory,
    id: string,
    args: FilterArgs & { page: PageArgs },
  ): Promise<Page<AnyGroup> | null>;
  count(directory: Directory, id: string, args: FilterArgs): Promise<number | null>;
};

/** A connection of the groups that a group or a user had. */
export const groupsOf = (description: string, { page, count }: GroupLists) => ({
  type: GroupSnapshot,
  description,
  args: groupListArgs,
  complexity: connectionCost,
  resolve: (
    { row: { id }, directory }: Snapshot<{ id: string }>,
    { filter, orderBy, ...args }: PageArgs & FilterArgs,
    _context: object,
    info: GraphQLResolveInfo,
  ) =>
    connection(
      args,
      info,
      listing(
        directory,
        (page_) => page(directory, id, { filter, orderBy, page: page_ }),
        () => count(directory, id, { filter, orderBy }),
      ),
    ),
});

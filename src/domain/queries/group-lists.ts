// Lists of the groups that belong to one group or to one user, by name.
import type { Sql } from '../../database/database.ts';
import { type Page, type PageArgs, withRows } from '../../model/page.ts';
import { type Audience, type Directory, endUser, type Reader } from '../directory.ts';
import { list } from '../loading/list.ts';
import {
  type Group,
  type GroupProjection,
  type GroupSummary,
  groupOrdering,
  listColumns,
  redact,
  toListedGroup,
  type VisibleGroup,
} from '../rows/groups.ts';

type GroupListSource<A> = {
  audience: A;
  from(reader: Reader): Sql;
  total?(reader: Reader): Sql;
  isFoundAtOnce?(): boolean;
};
type ListArgs = { page: PageArgs; projection?: GroupProjection };
type Listed<A> = Group | GroupSummary | (A extends 'administrators' ? never : VisibleGroup);

/** The functions of one list; each returns null for callers outside the audience. An end user sees `VisibleGroup`s. */
export function groupList<const A extends Audience>(source: GroupListSource<A>) {
  const groups = list({
    ...source,
    columns: listColumns,
    toRow: toListedGroup,
    order: () => groupOrdering({}),
  });
  return {
    async page(
      directory: Directory,
      id: string,
      { page, projection = {} }: ListArgs,
    ): Promise<Page<Listed<A>> | null> {
      const found = await groups.page(directory, id, projection, page);
      return found && endUser(directory) ? withRows(found, found.rows.map(redact) as Listed<A>[]) : found;
    },
    all: (directory: Directory, id: string): Promise<readonly (Group | GroupSummary)[] | null> =>
      groups.all(directory, id, {}),
    count: (directory: Directory, id: string): Promise<number | null> => groups.count(directory, id, {}),
  };
}

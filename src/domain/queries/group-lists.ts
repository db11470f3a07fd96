// Lists of the groups that belong to one group or to one user, by name.
import { Prisma, type Sql } from '../../database/database.ts';
import type { GroupOrder } from '../../model/groups.ts';
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
import { type Conditions, conditionsOf, type FilterArgs, isHiddenFrom, meeting } from './group-filters.ts';

type GroupListSource<A> = {
  audience: A;
  from(reader: Reader): Sql;
  total?(reader: Reader): Sql;
  isFoundAtOnce?(): boolean;
};
type ListArgs = FilterArgs & { projection?: GroupProjection };
/** Conditions and order are there only where they were asked for, and `isNone` where the caller may not use them. */
type SourceArgs = GroupProjection & { conditions?: Conditions; orderBy?: GroupOrder; isNone?: true };
type Listed<A> = Group | GroupSummary | (A extends 'administrators' ? never : VisibleGroup);

/** The functions of one list; each returns null for callers outside the audience. An end user sees `VisibleGroup`s. */
export function groupList<const A extends Audience>(source: GroupListSource<A>) {
  const { audience, isFoundAtOnce } = source;
  const groups = list({
    audience,
    columns: (reader, args: SourceArgs) => listColumns(reader, args),
    toRow: toListedGroup,
    order: ({ orderBy }: SourceArgs) => groupOrdering({ orderBy }),
    from: (reader, { conditions = null, isNone }) =>
      Prisma.sql`${source.from(reader)}${meeting(reader, conditions)}${isNone ? Prisma.sql` and false` : Prisma.empty}`,
    total: (reader, { conditions, isNone }) =>
      conditions || isNone ? null : (source.total?.(reader) ?? null),
    isFoundAtOnce: ({ conditions }) => isFoundAtOnce?.() ?? conditions?.search != null,
  });
  const argsOf = (directory: Directory, { filter, orderBy }: FilterArgs): SourceArgs => {
    const conditions = conditionsOf(directory, filter);
    return {
      ...(conditions && { conditions }),
      ...(orderBy && { orderBy }),
      ...(isHiddenFrom(directory, conditions, orderBy) && { isNone: true }),
    };
  };
  return {
    async page(
      directory: Directory,
      id: string,
      { page, projection, ...args }: ListArgs & { page: PageArgs },
    ): Promise<Page<Listed<A>> | null> {
      const found = await groups.page(directory, id, { ...projection, ...argsOf(directory, args) }, page);
      return found && endUser(directory) ? withRows(found, found.rows.map(redact) as Listed<A>[]) : found;
    },
    all: (directory: Directory, id: string): Promise<readonly (Group | GroupSummary)[] | null> =>
      groups.all(directory, id, {}),
    /** The order counts too: by a hidden property an end user is listed nothing. */
    async count(directory: Directory, id: string, args: FilterArgs = {}): Promise<number | null> {
      const { orderBy: _, ...counted } = argsOf(directory, args);
      return groups.count(directory, id, counted);
    },
  };
}

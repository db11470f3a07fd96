// The limit's own language: the name of the query and its variables, answered in the form that is compared.
import type { Variant } from '../queries.ts';
import type { Ask, Operations } from './operations.ts';

const post = (query: string, variables: object): Ask => ({ path: `/${query}`, body: variables });
const size = (query: string) => (query === 'Q2' ? 50 : 20);

export const limit: Operations = {
  ask(query, { tenant, group, user, ids, row = 0, search }: Variant, cursors) {
    switch (query) {
      case 'Q1':
        return post('Q1', { tenant, id: group });
      case 'Q5':
        return post('Q5', { tenant, id: group });
      case 'deep':
        return post('page', { tenant, first: 50, after: cursors[row - 1] ?? ' ' });
      case 'deep-back':
        return post('pageBack', { tenant, first: 50, after: cursors[row + 50] });
      case 'search':
        return post('search', { tenant, search: `%${search}%` });
      case 'user':
        return post('user', { tenant, id: user });
      case 'entities':
        return post('entities', { tenant, ids });
      case 'REST':
        return post('numbered', { tenant, offset: row });
      default:
        return post(query, {
          tenant,
          first: size(query),
          after: row === 0 ? ' ' : cursors[row - 1],
        });
    }
  },
  read: (_query, answer) => answer.data,
  walk: (tenant, after) => post('page', { tenant, first: 100, after: after ?? ' ' }),
  // Its cursor is the row itself: the name in lower case, a space that ends it, and the id.
  cursors: ({ data }) => data.map(([id, name]: string[]) => `${name!.toLowerCase()}\n${id}`),
  write: (write) => post(write.kind, write),
};

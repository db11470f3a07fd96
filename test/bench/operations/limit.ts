// The limit's own language: the name of the query and its variables, answered in the form that is compared.
import type { Variant } from '../queries.ts';
import type { Ask, Operations } from './operations.ts';

const post = (query: string, variables: object): Ask => ({ path: `/${query}`, body: variables });
const size = (query: string) => (query.startsWith('Q2') ? 50 : 20);

export const limit: Operations = {
  ask(query, { tenant, group, user, ids, page, search }: Variant, cursors) {
    switch (query) {
      case 'Q1':
        return post('Q1', { tenant, id: group });
      case 'Q5a':
      case 'Q5b':
        return post('Q5', { tenant, id: group });
      case 'deep':
        return post('page', { tenant, first: 50, after: cursors[page! - 1] });
      case 'deep-back':
        return post('pageBack', { tenant, first: 50, after: cursors[page!] });
      case 'search':
        return post('search', { tenant, search: `%${search}%` });
      case 'user':
        return post('user', { tenant, id: user });
      case 'entities':
        return post('entities', { tenant, ids });
      case 'REST':
        return post('numbered', { tenant, offset: page! * 50 });
      case 'M1':
        return null;
      default:
        return post(query.slice(0, 2), {
          tenant,
          first: size(query),
          after: page === 0 ? ' ' : cursors[page! - 1],
        });
    }
  },
  read: (_query, answer) => answer.data,
  walk: (tenant, after) => post('page', { tenant, first: 50, after: after ?? ' ' }),
  // Its cursor is the row itself: the name in lower case, a space that ends it, and the id.
  cursor: ({ data }) => `${data.at(-1)[1].toLowerCase()}\n${data.at(-1)[0]}`,
  addMember: (addition) => post('M1', addition),
};

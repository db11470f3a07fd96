// Operations made from the schema itself: whatever is added to it is asked for, without being listed anywhere.
import {
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLOutputType,
  getNamedType,
  getNullableType,
  isAbstractType,
  isInputObjectType,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';
import { schema } from '../../src/graphql/schema/schema.ts';

/** What an input of type ID names, by the input's name; a new name must be added here before its field is tested. */
export const ID_INPUTS: Record<string, 'group' | 'user' | 'tenant' | 'partner' | 'any'> = {
  'Query.group.id': 'group',
  'Query.user.id': 'user',
  'Query.tenant.id': 'tenant',
  'Query.node.id': 'any',
  'Query.nodes.ids': 'any',
  id: 'group',
  ids: 'group',
  underGroupId: 'group',
  notInGroupId: 'group',
  'UserInput.id': 'user',
  groupId: 'group',
  childGroupId: 'group',
  childGroupIds: 'group',
  parentGroupId: 'group',
  tenantId: 'tenant',
  partnerId: 'partner',
  userId: 'user',
  userIds: 'user',
  memberUserId: 'user',
  initialMemberIds: 'user',
  usersToAdd: 'user',
  usersToRemove: 'user',
};

export type IdPlace = { path: string[]; kind: (typeof ID_INPUTS)[string]; list: boolean };

/** Every place of type ID inside a field's arguments. Throws for one that `ID_INPUTS` does not know. */
export function idPlaces(root: 'Query' | 'Mutation', field: GraphQLField<unknown, unknown>): IdPlace[] {
  const walk = (type: GraphQLInputType, path: string[], owner: string): IdPlace[] => {
    const named = getNamedType(type);
    const name = path.at(-1)!;
    if (isInputObjectType(named)) {
      return Object.values(named.getFields()).flatMap((inner) =>
        walk(inner.type, [...path, inner.name], named.name),
      );
    }
    if (named.name !== 'ID') return [];
    const kind = ID_INPUTS[`${owner}.${name}`] ?? ID_INPUTS[name];
    if (!kind) throw new Error(`ID_INPUTS does not say what ${owner}.${name} names`);
    return [{ path, kind, list: isListType(getNullableType(type)) }];
  };
  return field.args.flatMap((arg) => walk(arg.type, [arg.name], `${root}.${field.name}`));
}

/** Small pages, so that everything fits into the limit of cost. */
const PAGE = 'first: 2';
/** A position that each directory of these tests has had. */
const PAST = 'position: "3"';

/** A selection of everything below a type, `depth` objects deep. `userId` is for arguments that must be given. */
export function selectAll(type: GraphQLOutputType, depth: number, userId: string): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return '';
  if (isAbstractType(named)) {
    const parts = schema
      .getPossibleTypes(named)
      .map((each) => `... on ${each.name} ${selectAll(each, depth, userId)}`);
    return `{ __typename ${parts.join(' ')} }`;
  }
  if (!isObjectType(named)) throw new Error('an output type is a leaf, abstract, or an object');
  const fields = Object.values(named.getFields()).flatMap((field) => {
    const inner = getNamedType(field.type);
    // Connections and their edges are how a list is written: they do not count as a step.
    const plumbing = /(Connection|Edge)$/.test(named.name);
    const left = plumbing ? depth : depth - 1;
    if (!isLeafType(inner) && left < 0) return [];
    const args = [
      ...(field.args.some((arg) => arg.name === 'first') ? [PAGE] : []),
      ...(field.name === 'asOf' ? [PAST] : []),
      ...field.args.filter(isRequiredArgument).map((arg) => `${arg.name}: "${userId}"`),
    ];
    return [
      `${field.name}${args.length ? `(${args.join(', ')})` : ''} ${selectAll(field.type, left, userId)}`,
    ];
  });
  return `{ __typename ${fields.join(' ')} }`;
}

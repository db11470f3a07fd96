// Mutations asked for their payload, or for everything that the refusal they answer with carries.
import type { GraphQLUnionType } from 'graphql';
import { schema } from '../../src/graphql/schema/schema.ts';

/** What each typed error holds beside message and code; one that is not here fails the first test that could meet it. */
const DETAILS: Record<string, string> = {
  ValidationError: 'fields { path message }',
  NotFoundError: 'missingId',
  NameTakenError: 'names',
  GroupNotEmptyError: 'counts { members children nestedGroups }',
  CycleError: 'path { groupId name }',
  UnknownUsersError: 'userIds',
  OtherTenantError: 'otherId',
  VersionConflictError: 'currentVersion',
  LimitError: 'limit',
};

/** The text of a mutation with its input as `$input`. */
export function mutation(name: string, payload: string): string {
  const title = `${name[0]!.toUpperCase()}${name.slice(1)}`;
  const result = schema.getType(`${title}Result`) as GraphQLUnionType;
  const errors = result.getTypes().filter((type) => type.name !== `${title}Payload`);
  const selections = errors.map((type) => {
    if (!DETAILS[type.name]) throw new Error(`DETAILS does not say what ${type.name} holds`);
    return `... on ${type.name} { code message ${DETAILS[type.name]} }`;
  });
  return `mutation ($input: ${title}Input!) { ${name}(input: $input) { __typename
    ... on ${title}Payload { ${payload} } ${selections.join(' ')} } }`;
}

// The typed errors of mutations: one GraphQL type for each code of the domain that a mutation can answer with.
import {
  type DirectoryError,
  type ErrorCode,
  type ErrorDetails,
  isDirectoryError,
} from '../../model/errors.ts';
import { builder } from './builder.ts';

// A field called `id` is a node's alone: clients' caches take two things of one id for the same object.

/** The errors plugin picks a type by `instanceof`: this class holds exactly the refusals of one code. */
function refusalsOf<Code extends ErrorCode>(code: Code) {
  class Refusal {}
  Object.defineProperty(Refusal, Symbol.hasInstance, {
    value: (error: unknown) => isDirectoryError(error, code),
  });
  return Refusal as new () => DirectoryError<Code>;
}

/** Each code with its class, or null if it is answered as a top-level error with `extensions.code`. */
const REFUSALS = {
  VALIDATION_FAILED: refusalsOf('VALIDATION_FAILED'),
  NOT_FOUND: refusalsOf('NOT_FOUND'),
  NAME_TAKEN: refusalsOf('NAME_TAKEN'),
  GROUP_NOT_EMPTY: refusalsOf('GROUP_NOT_EMPTY'),
  CYCLE: refusalsOf('CYCLE'),
  UNKNOWN_USERS: refusalsOf('UNKNOWN_USERS'),
  OTHER_TENANT: refusalsOf('OTHER_TENANT'),
  VERSION_CONFLICT: refusalsOf('VERSION_CONFLICT'),
  LIMIT_EXCEEDED: refusalsOf('LIMIT_EXCEEDED'),
  FORBIDDEN: null,
  UNAUTHENTICATED: null,
  UNAVAILABLE: null,
} satisfies { [Code in ErrorCode]: (new () => DirectoryError<Code>) | null };

type TypedCode = { [Code in ErrorCode]: (typeof REFUSALS)[Code] extends null ? never : Code }[ErrorCode];

/** Options of a mutation field: its result is `XxxResult`, the union of its payload and the types of these codes. */
export function typedErrors(mutation: string, codes: readonly TypedCode[]) {
  return {
    types: codes.map((code) => REFUSALS[code]),
    directResult: true as const,
    union: {
      name: `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Result`,
      description: `What \`${mutation}\` did, or why it was refused.`,
    },
  };
}

const CODE_DESCRIPTIONS: Record<TypedCode, string> = {
  VALIDATION_FAILED: 'The input breaks a rule.',
  NOT_FOUND: 'There is no such object that you can see.',
  NAME_TAKEN: 'A sibling has that name.',
  GROUP_NOT_EMPTY: 'The group still holds something.',
  CYCLE: 'The change would close a cycle.',
  UNKNOWN_USERS: "Some ids are not of users of the group's tenant.",
  OTHER_TENANT: 'The two ends are of different tenants.',
  VERSION_CONFLICT: 'The group has changed since it was read.',
  LIMIT_EXCEEDED: 'A bound of the directory is exceeded.',
};

const ErrorCodeEnum = builder.enumType('ErrorCode', {
  description: 'Why a mutation was refused.',
  values: Object.fromEntries(
    Object.entries(CODE_DESCRIPTIONS).map(([code, description]) => [code, { description }]),
  ) as { [Code in TypedCode]: { description: string } },
});

const ErrorInterface = builder.interfaceRef<DirectoryError>('Error').implement({
  description: 'A refusal: nothing was changed.',
  fields: (t) => ({
    message: t.exposeString('message', { nullable: false, description: 'The refusal in words, for people.' }),
    code: t.field({
      description: 'The refusal as a code, for programs.',
      type: ErrorCodeEnum,
      nullable: false,
      resolve: ({ code }) => code as TypedCode,
    }),
  }),
});

const FieldFaultType = builder
  .objectRef<ErrorDetails['VALIDATION_FAILED']['fields'][number]>('FieldFault')
  .implement({
    description: 'One breach of an input rule.',
    fields: (t) => ({
      path: t.exposeStringList('path', {
        nullable: false,
        description: 'Where in the input, e.g. `["users", "0", "email"]`.',
      }),
      message: t.exposeString('message', {
        nullable: false,
        description: 'The rule, as in "must not be empty".',
      }),
    }),
  });

const NotEmptyCountsType = builder
  .objectRef<ErrorDetails['GROUP_NOT_EMPTY']['counts']>('GroupNotEmptyCounts')
  .implement({
    description: 'What a group still holds.',
    fields: (t) => ({
      members: t.exposeInt('members', { nullable: false, description: 'Direct members.' }),
      children: t.exposeInt('children', { nullable: false, description: 'Children in the hierarchy.' }),
      nestedGroups: t.exposeInt('nestedGroups', { nullable: false, description: 'Groups nested in it.' }),
    }),
  });

const CycleStepType = builder.objectRef<ErrorDetails['CYCLE']['path'][number]>('CycleStep').implement({
  description: 'A group on a cycle.',
  fields: (t) => ({
    groupId: t.exposeID('id', { nullable: false, description: 'Id of the group.' }),
    name: t.exposeString('name', { nullable: false, description: 'Name of the group.' }),
  }),
});

builder.objectType(REFUSALS.VALIDATION_FAILED, {
  name: 'ValidationError',
  description: 'The input breaks rules; each breach is listed.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    fields: t.field({
      description: 'Each breach.',
      type: [FieldFaultType],
      complexity: { field: 1, multiplier: 1 },
      nullable: false,
      resolve: ({ details }) => details.fields,
    }),
  }),
});

builder.objectType(REFUSALS.NOT_FOUND, {
  name: 'NotFoundError',
  description: 'There is no such object, or you cannot see it: the two are not told apart.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    missingId: t.id({
      nullable: false,
      description: 'The id that was not found.',
      resolve: ({ details }) => details.id,
    }),
  }),
});

builder.objectType(REFUSALS.NAME_TAKEN, {
  name: 'NameTakenError',
  description: 'Siblings have the name already, ignoring case.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    names: t.stringList({
      nullable: false,
      description: 'Each name that clashes.',
      resolve: ({ details }) => details.names,
    }),
  }),
});

builder.objectType(REFUSALS.GROUP_NOT_EMPTY, {
  name: 'GroupNotEmptyError',
  description: 'Under `BLOCK` only an empty group is deleted.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    counts: t.field({
      description: 'What the group still holds.',
      type: NotEmptyCountsType,
      nullable: false,
      resolve: ({ details }) => details.counts,
    }),
  }),
});

builder.objectType(REFUSALS.CYCLE, {
  name: 'CycleError',
  description: 'The group would come to be above itself.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    path: t.field({
      description: 'The cycle, group by group; the first and the last are the same.',
      type: [CycleStepType],
      complexity: { field: 1, multiplier: 1 },
      nullable: false,
      resolve: ({ details }) => details.path,
    }),
  }),
});

builder.objectType(REFUSALS.UNKNOWN_USERS, {
  name: 'UnknownUsersError',
  description: 'Some ids are not of users of the tenant.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    userIds: t.idList({
      nullable: false,
      description: 'Each id that is unknown.',
      resolve: ({ details }) => details.userIds,
    }),
  }),
});

builder.objectType(REFUSALS.OTHER_TENANT, {
  name: 'OtherTenantError',
  description: 'Nothing crosses tenants. Told only where you can see both ends; else the other is not found.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    otherId: t.id({
      nullable: false,
      description: 'The id that belongs to another tenant.',
      resolve: ({ details }) => details.id,
    }),
  }),
});

builder.objectType(REFUSALS.VERSION_CONFLICT, {
  name: 'VersionConflictError',
  description: 'The group is no longer at `expectedVersion`.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    currentVersion: t.int({
      nullable: false,
      description: 'The version that it is at.',
      resolve: ({ details }) => details.currentVersion,
    }),
  }),
});

builder.objectType(REFUSALS.LIMIT_EXCEEDED, {
  name: 'LimitError',
  description: 'A bound of the directory is exceeded: ids in one call, or levels of a structure.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    limit: t.int({ nullable: false, description: 'The bound.', resolve: ({ details }) => details.limit }),
  }),
});

// The typed errors of mutations: one GraphQL type for each error code that a mutation can return as data.
import {
  type DirectoryError,
  type ErrorCode,
  type ErrorDetails,
  isDirectoryError,
} from '../../model/errors.ts';
import { builder } from './builder.ts';

// Only nodes have a field `id`: a client's cache treats two objects with the same id as one.

/** A refusal as the value of a field: graphql-js throws an Error that a field returns. */
export class ShownRefusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: object;

  constructor({ code, message, details }: DirectoryError) {
    this.code = code;
    this.message = message;
    this.details = details;
  }
}

/** The errors plugin selects a type with `instanceof`. The instances of this class are the refusals with one code. */
function refusalsOf<Code extends ErrorCode>(code: Code) {
  class Refusal {}
  Object.defineProperty(Refusal, Symbol.hasInstance, {
    value: (error: unknown) =>
      isDirectoryError(error, code) || (error instanceof ShownRefusal && error.code === code),
  });
  return Refusal as new () => DirectoryError<Code>;
}

/** The class for each code; null if the code is always a top-level error with `extensions.code`. */
const REFUSALS = {
  VALIDATION_FAILED: refusalsOf('VALIDATION_FAILED'),
  NOT_FOUND: refusalsOf('NOT_FOUND'),
  NAME_TAKEN: refusalsOf('NAME_TAKEN'),
  GROUP_NOT_EMPTY: refusalsOf('GROUP_NOT_EMPTY'),
  CYCLE: refusalsOf('CYCLE'),
  UNKNOWN_USERS: refusalsOf('UNKNOWN_USERS'),
  OTHER_TENANT: refusalsOf('OTHER_TENANT'),
  VERSION_CONFLICT: refusalsOf('VERSION_CONFLICT'),
  PREVIEW_STALE: refusalsOf('PREVIEW_STALE'),
  LIMIT_EXCEEDED: refusalsOf('LIMIT_EXCEEDED'),
  HISTORY_UNAVAILABLE: null,
  CURSOR_EXPIRED: null,
  TOO_MANY_STREAMS: null,
  FORBIDDEN: null,
  UNAUTHENTICATED: null,
  UNAVAILABLE: null,
} satisfies { [Code in ErrorCode]: (new () => DirectoryError<Code>) | null };

type TypedCode = { [Code in ErrorCode]: (typeof REFUSALS)[Code] extends null ? never : Code }[ErrorCode];

/** Error options of a mutation field. Its type is `XxxResult`, the union of its payload and the types of these codes. */
export function typedErrors(mutation: string, codes: readonly TypedCode[]) {
  return {
    types: codes.map((code) => REFUSALS[code]),
    directResult: true as const,
    union: {
      name: `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Result`,
      description: `The payload of \`${mutation}\`, or the error with which it was refused.`,
    },
  };
}

const CODE_DESCRIPTIONS: Record<TypedCode, string> = {
  VALIDATION_FAILED: 'The input is invalid.',
  NOT_FOUND: 'The object does not exist, or you cannot see it.',
  NAME_TAKEN: 'A sibling has the same name.',
  GROUP_NOT_EMPTY: 'The group is not empty.',
  CYCLE: 'The change would create a cycle.',
  UNKNOWN_USERS: 'Some ids do not belong to users of the tenant.',
  OTHER_TENANT: 'The objects belong to different tenants.',
  VERSION_CONFLICT: 'The group does not have the expected version.',
  PREVIEW_STALE: 'The changes would have other effects than the preview showed.',
  LIMIT_EXCEEDED: 'A limit of the directory is exceeded.',
};

const TYPE_NAMES: Record<TypedCode, string> = {
  VALIDATION_FAILED: 'ValidationError',
  NOT_FOUND: 'NotFoundError',
  NAME_TAKEN: 'NameTakenError',
  GROUP_NOT_EMPTY: 'GroupNotEmptyError',
  CYCLE: 'CycleError',
  UNKNOWN_USERS: 'UnknownUsersError',
  OTHER_TENANT: 'OtherTenantError',
  VERSION_CONFLICT: 'VersionConflictError',
  PREVIEW_STALE: 'PreviewStaleError',
  LIMIT_EXCEEDED: 'LimitError',
};

const ErrorCodeEnum = builder.enumType('ErrorCode', {
  description: 'Why a mutation was refused.',
  values: Object.fromEntries(
    Object.entries(CODE_DESCRIPTIONS).map(([code, description]) => [code, { description }]),
  ) as { [Code in TypedCode]: { description: string } },
});

export const ErrorInterface = builder.interfaceRef<DirectoryError>('Error').implement({
  description: 'An error of a mutation that was refused. Nothing was changed.',
  resolveType: ({ code }) => TYPE_NAMES[code as TypedCode],
  fields: (t) => ({
    message: t.exposeString('message', { nullable: false, description: 'Message for people.' }),
    code: t.field({
      description: 'Code for programs.',
      type: ErrorCodeEnum,
      nullable: false,
      resolve: ({ code }) => code as TypedCode,
    }),
    changeIndex: t.int({
      description:
        'Which of the changes of `applyChanges` was refused, from 0; null if it was not a single one, and elsewhere.',
      resolve: ({ changeIndex }) => changeIndex ?? null,
    }),
  }),
});

const FieldFaultType = builder
  .objectRef<ErrorDetails['VALIDATION_FAILED']['fields'][number]>('FieldFault')
  .implement({
    description: 'A validation error of one input field.',
    fields: (t) => ({
      path: t.exposeStringList('path', {
        nullable: false,
        description: 'Path of the field in the input, such as `["users", "0", "email"]`.',
      }),
      message: t.exposeString('message', {
        nullable: false,
        description: 'The violated rule, such as "must not be empty".',
      }),
    }),
  });

const NotEmptyCountsType = builder
  .objectRef<ErrorDetails['GROUP_NOT_EMPTY']['counts']>('GroupNotEmptyCounts')
  .implement({
    description: 'Counts of what a group still contains.',
    fields: (t) => ({
      members: t.exposeInt('members', { nullable: false, description: 'Number of direct members.' }),
      children: t.exposeInt('children', {
        nullable: false,
        description: 'Number of children in the hierarchy.',
      }),
      nestedGroups: t.exposeInt('nestedGroups', {
        nullable: false,
        description: 'Number of groups nested directly in it.',
      }),
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
  name: TYPE_NAMES.VALIDATION_FAILED,
  description: 'The input is invalid.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    fields: t.field({
      description: 'All validation errors.',
      type: [FieldFaultType],
      complexity: { field: 1, multiplier: 1 },
      nullable: false,
      resolve: ({ details }) => details.fields,
    }),
  }),
});

builder.objectType(REFUSALS.NOT_FOUND, {
  name: TYPE_NAMES.NOT_FOUND,
  description: 'The object does not exist, or you cannot see it. The error does not reveal which.',
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
  name: TYPE_NAMES.NAME_TAKEN,
  description: 'Siblings have the same name, ignoring case.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    names: t.stringList({
      nullable: false,
      description: 'The names that conflict.',
      resolve: ({ details }) => details.names,
    }),
  }),
});

builder.objectType(REFUSALS.GROUP_NOT_EMPTY, {
  name: TYPE_NAMES.GROUP_NOT_EMPTY,
  description: 'With `BLOCK`, only an empty group can be deleted.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    counts: t.field({
      description: 'Counts of what the group still contains.',
      type: NotEmptyCountsType,
      nullable: false,
      resolve: ({ details }) => details.counts,
    }),
  }),
});

builder.objectType(REFUSALS.CYCLE, {
  name: TYPE_NAMES.CYCLE,
  description: 'The group would become its own ancestor, or be nested in itself.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    path: t.field({
      description: 'The groups of the cycle, in order. The first and the last are the same group.',
      type: [CycleStepType],
      complexity: { field: 1, multiplier: 1 },
      nullable: false,
      resolve: ({ details }) => details.path,
    }),
  }),
});

builder.objectType(REFUSALS.UNKNOWN_USERS, {
  name: TYPE_NAMES.UNKNOWN_USERS,
  description: 'Some ids do not belong to users of the tenant.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    userIds: t.idList({
      nullable: false,
      description: 'The unknown ids.',
      resolve: ({ details }) => details.userIds,
    }),
  }),
});

builder.objectType(REFUSALS.OTHER_TENANT, {
  name: TYPE_NAMES.OTHER_TENANT,
  description:
    'The objects belong to different tenants. If you cannot see the other tenant, the error is `NotFoundError`.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    otherId: t.id({
      nullable: false,
      description: 'Id of the object of the other tenant.',
      resolve: ({ details }) => details.id,
    }),
  }),
});

builder.objectType(REFUSALS.VERSION_CONFLICT, {
  name: TYPE_NAMES.VERSION_CONFLICT,
  description: 'The version of the group is not `expectedVersion`.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    currentVersion: t.int({
      nullable: false,
      description: 'Current version of the group.',
      resolve: ({ details }) => details.currentVersion,
    }),
  }),
});

builder.objectType(REFUSALS.PREVIEW_STALE, {
  name: TYPE_NAMES.PREVIEW_STALE,
  description: 'The changes would have other effects than the preview showed: preview them again.',
  interfaces: [ErrorInterface],
});

builder.objectType(REFUSALS.LIMIT_EXCEEDED, {
  name: TYPE_NAMES.LIMIT_EXCEEDED,
  description:
    'A limit of the directory is exceeded: the number of ids in a call, or the depth of a structure.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    limit: t.int({ nullable: false, description: 'The limit.', resolve: ({ details }) => details.limit }),
  }),
});

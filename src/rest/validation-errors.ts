// Faults of a request as FastAPI tells them: where, in words, and as a type that clients switch on.
import { z } from '@hono/zod-openapi';
import type { FieldFault } from '../model/errors.ts';

const Location = z.array(z.union([z.string(), z.int()]));

const ValidationError = z
  .object({
    loc: Location.openapi({ description: 'Where: the part of the request, then the way into it.' }),
    msg: z.string().openapi({ description: 'The fault in words.' }),
    type: z.string().openapi({ description: "The fault's kind, as in pydantic." }),
  })
  .openapi('ValidationError', { description: 'One fault of a request.' });

export const HTTPValidationError = z
  .object({ detail: z.array(ValidationError).optional() })
  .openapi('HTTPValidationError', { description: 'Every fault of a request.' });

export type ValidationError = z.infer<typeof ValidationError>;
/** The part of a request that a fault is in, named as FastAPI does. */
export type Part = 'path' | 'query' | 'header' | 'body';

type Issue = z.core.$ZodIssue;

/** The faults that zod found in one part; `value` is what was sent, to tell a missing field from a wrong one. */
export function faultsOf(part: Part, issues: readonly Issue[], value: unknown): ValidationError[] {
  return issues.map((issue) => {
    const missing = issue.code === 'invalid_type' && valueAt(value, issue.path) === undefined;
    return {
      loc: [part, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))],
      msg: missing ? 'Field required' : issue.message,
      type: missing ? 'missing' : typeOf(issue, part),
    };
  });
}

/** FastAPI's words where the schema has none of its own: given to zod as it parses. */
export const wording: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return `Input should be a valid ${NOUNS[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `Input should be greater than or equal to ${issue.minimum}`
        : undefined;
    case 'too_big':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `Input should be less than or equal to ${issue.maximum}`
        : undefined;
    case 'invalid_value':
      return `Input should be ${new Intl.ListFormat('en', { type: 'disjunction' }).format(issue.values.map((value) => `'${String(value)}'`))}`;
    default:
      return undefined;
  }
};

const NOUNS: Record<string, string> = {
  int: 'integer',
  number: 'integer',
  array: 'list',
  record: 'dictionary',
  object: 'dictionary',
};

/** Faults that the domain found, which speaks of its own input: its words in the field names of the reference. */
export function faultsOfFields(fields: readonly FieldFault[]): ValidationError[] {
  return fields.map(({ path, message }) => ({
    loc: ['body', ...path.map(fieldName)],
    msg: message,
    type: 'value_error',
  }));
}

/** Names that differ by more than their spelling. */
const FIELD_NAMES: Record<string, string> = { initialMemberIds: 'initial_members', type: 'group_type' };

const fieldName = (step: string): string | number =>
  /^\d+$/.test(step)
    ? Number(step)
    : (FIELD_NAMES[step] ?? step.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));

/** Names of types as pydantic 2 gives them (its documentation, "Validation errors"). */
const TYPE_ERRORS: Record<string, string> = {
  string: 'string_type',
  int: 'int_type',
  number: 'int_type',
  boolean: 'bool_type',
  array: 'list_type',
  object: 'model_attributes_type',
  record: 'dict_type',
};

function typeOf(issue: Issue, part: Part): string {
  switch (issue.code) {
    case 'invalid_type':
      // What a URL holds is text: a number in it is parsed, not typed.
      return part !== 'body' && ['number', 'int'].includes(issue.expected)
        ? 'int_parsing'
        : (TYPE_ERRORS[issue.expected] ?? 'value_error');
    case 'too_small':
      if (issue.origin === 'string') return 'string_too_short';
      return issue.origin === 'array' ? 'too_short' : 'greater_than_equal';
    case 'too_big':
      if (issue.origin === 'string') return 'string_too_long';
      return issue.origin === 'array' ? 'too_long' : 'less_than_equal';
    case 'invalid_value':
      return 'enum';
    case 'invalid_format':
      return 'string_pattern_mismatch';
    default:
      return 'value_error';
  }
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce(
    (at, step) => (at == null ? undefined : (at as Record<PropertyKey, unknown>)[step]),
    value,
  );
}

// Validation errors in FastAPI's format: location, message, and a type that clients switch on.
import { z } from '@hono/zod-openapi';
import type { FieldFault } from '../model/errors.ts';

const Location = z.array(z.union([z.string(), z.int()]));

const ValidationError = z
  .object({
    loc: Location.openapi({ description: 'Location: the part of the request, then the path inside it.' }),
    msg: z.string().openapi({ description: 'The error message.' }),
    type: z.string().openapi({ description: "The error's type, as in pydantic." }),
  })
  .openapi('ValidationError', { description: 'One validation error.' });

export const HTTPValidationError = z
  .object({ detail: z.array(ValidationError).optional() })
  .openapi('HTTPValidationError', { description: 'All validation errors of a request.' });

export type ValidationError = z.infer<typeof ValidationError>;
/** The part of a request, as FastAPI names it. */
export type Part = 'path' | 'query' | 'header' | 'body';

type Issue = z.core.$ZodIssue;

/** Converts zod's issues in one part of a request. `value` is that part's input: it tells missing fields from wrong ones. */
export function validationErrors(part: Part, issues: readonly Issue[], value: unknown): ValidationError[] {
  return issues.map((issue) => {
    const missing = issue.code === 'invalid_type' && valueAt(value, issue.path) === undefined;
    return {
      loc: [part, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))],
      msg: missing ? 'Field required' : issue.message,
      type: missing ? 'missing' : typeOf(issue, part),
    };
  });
}

/** zod error map with FastAPI's messages, for schemas without their own message. */
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
      return `Input should be ${oneOf(issue.values.map((value) => `'${String(value)}'`))}`;
    default:
      return undefined;
  }
};

const oneOf = (words: readonly string[]) => new Intl.ListFormat('en', { type: 'disjunction' }).format(words);

const NOUNS: Record<string, string> = {
  int: 'integer',
  number: 'integer',
  array: 'list',
  record: 'dictionary',
  object: 'dictionary',
};

/** Converts validation errors of the domain: its messages stay, its field names become those of the reference. */
export function fieldValidationErrors(fields: readonly FieldFault[]): ValidationError[] {
  return fields.map(({ path, message }) => ({
    loc: ['body', ...path.map(fieldName)],
    msg: message,
    type: 'value_error',
  }));
}

/** Fields whose name in the reference is not the domain's name in snake case. */
const FIELD_NAMES: Record<string, string> = { initialMemberIds: 'initial_members', type: 'group_type' };

const fieldName = (step: string): string | number =>
  /^\d+$/.test(step)
    ? Number(step)
    : (FIELD_NAMES[step] ?? step.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));

/** Type names of pydantic 2 (its documentation, "Validation errors"). */
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
      // Paths and queries hold text, so a wrong number there is a parsing error.
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
    (parent, step) => (parent == null ? undefined : (parent as Record<PropertyKey, unknown>)[step]),
    value,
  );
}

// Errors as logs hold them: told apart by what an operator needs, without the data that they are about.
import { describe, expect, test } from 'vitest';
import { loggedError, loggedMessage } from '../../src/model/logged-error.ts';

const STACK = expect.stringMatching(/^Error: .*\n {4}at .*logged-error\.test\.ts/);

test('fields that may hold data are left out, whatever their names', () => {
  const known = {
    code: '23505',
    severity: 'ERROR',
    schema: 'public',
    table: 'users',
    column: 'email',
    constraint: 'users_key',
  };
  const secret = Object.fromEntries(
    ['detail', 'where', 'hint', 'internalQuery', 'query', 'params', 'parameters', 'meta', 'dataType'].map(
      (name) => [name, 'secret'],
    ),
  );
  const error = Object.assign(new Error('broke'), known, secret);
  expect(loggedError(error)).toEqual({ type: 'Error', message: 'broke', stack: STACK, ...known });
  // A field with a known name, but not of a driver's kind.
  expect(loggedError(Object.assign(new Error('broke'), { code: { secret: 1 } }))).toEqual({
    type: 'Error',
    message: 'broke',
    stack: STACK,
  });
});

test('causes are told alike, and those of an aggregate', () => {
  const cause = Object.assign(new RangeError('inner'), { code: 'E', detail: 'secret' });
  const refused = Object.assign(new Error('connect ECONNREFUSED'), {
    code: 'ECONNREFUSED',
    detail: 'secret',
  });
  expect(loggedError(new TypeError('outer', { cause }))).toMatchObject({
    type: 'TypeError',
    message: 'outer',
    cause: { type: 'RangeError', message: 'inner', code: 'E', stack: expect.stringContaining('    at ') },
  });
  const told = loggedError(new AggregateError([refused]));
  expect(told).toMatchObject({ type: 'AggregateError', errors: [{ code: 'ECONNREFUSED' }] });
  expect(JSON.stringify([told, loggedError(new Error('x', { cause }))])).not.toContain('secret');
});

test('a circle of causes ends', () => {
  const error = new Error('circle');
  error.cause = error;
  let levels = 0;
  for (let at = loggedError(error); at; at = at.cause as never) levels += 1;
  expect(levels).toBe(9);
});

describe('a value in a message', () => {
  const coded = (code: string, message: string, cause?: unknown) =>
    Object.assign(new Error(message, { cause }), { code });
  const QUOTING = 'invalid input syntax for type json: "{"a": "secret\n    at b"}"';
  const MASKED = 'invalid input syntax for type json: "…"';

  test.each([
    ['of a data exception', coded('22P02', QUOTING), MASKED],
    ['of an error that repeats its cause', new Error(QUOTING, { cause: coded('22P02', 'x') }), MASKED],
    [
      'of a JSON text',
      new SyntaxError(`Unexpected token 's', "secret" is not valid JSON`),
      `Unexpected token 's', "…" is not valid JSON`,
    ],
  ])('%s is masked, in its stack too', (_case, error, message) => {
    expect(loggedMessage(error)).toBe(message);
    const told = loggedError(error);
    expect(told).toMatchObject({ message, stack: expect.stringContaining(`: ${message}\n    at `) });
    expect(JSON.stringify(told)).not.toContain('secret');
  });

  test.each([
    ['23505', 'duplicate key value violates unique constraint "users_pkey"'],
    ['42P01', 'relation "users" does not exist'],
    ['122P02', 'an odd "code"'],
  ])('names of the schema are not (%s)', (code, message) => {
    expect(loggedMessage(coded(code, message))).toBe(message);
  });
});

test('what is thrown and is no error is told by its kind, a text by itself', () => {
  expect(loggedError({ secret: 1 })).toEqual({ type: 'object', message: 'a thrown object' });
  expect(loggedError(undefined)).toEqual({ type: 'undefined', message: 'a thrown undefined' });
  expect(loggedError('words')).toEqual({ type: 'string', message: 'words' });
});

test('a stack that is missing, or another than the message, loses no frame', () => {
  const error = new Error('first');
  error.message = 'second';
  expect(loggedError(error)).toMatchObject({ stack: expect.stringMatching(/^Error: second\n {4}at /) });
  const bare = new Error('bare');
  delete bare.stack;
  expect(loggedError(bare)).toMatchObject({ stack: 'Error: bare' });
});

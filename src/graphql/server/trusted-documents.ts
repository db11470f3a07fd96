// Trusted documents: the operations that the builds of frontends registered, read and validated once at start.
import { readFile } from 'node:fs/promises';
import { type GraphQLError, parse, validate } from 'graphql';
import { z } from 'zod';
import { schema } from '../schema/schema.ts';

/** The text of each registered operation by its id. */
export type TrustedDocuments = ReadonlyMap<string, string>;

/** The format of relay-compiler (`persistConfig`) and most other tools: the text of each operation by its id. */
const plainManifest = z.record(z.string(), z.string());

/** The format of `@apollo/generate-persisted-query-manifest`. */
const apolloManifest = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  operations: z.array(z.object({ id: z.string(), body: z.string() })),
});

/** The number of errors in the message. The first few usually show what is wrong with the rest. */
const MAX_ERRORS = 10;

/**
 * Reads a manifest file in the format of Relay or Apollo. Throws one error that names the file and its first invalid
 * operations: a server that cannot answer its frontends should not start.
 */
export async function readTrustedDocuments(path: string): Promise<TrustedDocuments> {
  const documents = operationsOf(await readManifest(path));
  if (!documents || documents.size === 0) {
    throw misconfigured(path, ['not a manifest: neither {"id": "operation", …} nor the format of Apollo']);
  }
  const errors = [...documents].flatMap(([id, text]) =>
    errorsOf(text).map(({ message }) => `${id}: ${message}`),
  );
  if (errors.length > 0) throw misconfigured(path, errors.slice(0, MAX_ERRORS));
  return documents;
}

async function readManifest(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw misconfigured(path, [(error as Error).message]);
  }
}

function operationsOf(manifest: unknown): TrustedDocuments | null {
  const apollo = apolloManifest.safeParse(manifest);
  if (apollo.success) return new Map(apollo.data.operations.map(({ id, body }) => [id, body]));
  const plain = plainManifest.safeParse(manifest);
  return plain.success ? new Map(Object.entries(plain.data)) : null;
}

function errorsOf(text: string): readonly GraphQLError[] {
  try {
    return validate(schema, parse(text));
  } catch (error) {
    return [error as GraphQLError];
  }
}

function misconfigured(path: string, errors: readonly string[]): Error {
  const lines = errors.map((error) => `\n  ${error}`).join('');
  return new Error(`The trusted documents in ${path} are invalid (TRUSTED_DOCUMENTS):${lines}`);
}

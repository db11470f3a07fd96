// The operations that were registered by the frontends' builds: read once, at start, each held to the schema.
import { readFile } from 'node:fs/promises';
import { type GraphQLError, parse, validate } from 'graphql';
import { z } from 'zod';
import { schema } from '../schema/schema.ts';

/** The text of each registered operation by its id. */
export type TrustedDocuments = ReadonlyMap<string, string>;

/** What relay-compiler writes (`persistConfig`), and most others: the text of each operation under its id. */
const plainManifest = z.record(z.string(), z.string());

/** What `@apollo/generate-persisted-query-manifest` writes. */
const apolloManifest = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  operations: z.array(z.object({ id: z.string(), body: z.string() })),
});

/** At most this many faults are told: the first ones show what is wrong with the rest. */
const MAX_FAULTS = 10;

/**
 * The operations of a manifest file, Relay's or Apollo's. Throws one error that names the file, and each operation that
 * this schema would refuse: a server that cannot answer its frontends should not start.
 */
export async function readTrustedDocuments(path: string): Promise<TrustedDocuments> {
  const documents = operationsOf(await readManifest(path));
  if (!documents || documents.size === 0) {
    throw misconfigured(path, ['is no manifest: neither {"id": "operation", …} nor one of Apollo']);
  }
  const faults = [...documents].flatMap(([id, text]) =>
    faultsOf(text).map(({ message }) => `${id}: ${message}`),
  );
  if (faults.length > 0) throw misconfigured(path, faults.slice(0, MAX_FAULTS));
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

function faultsOf(text: string): readonly GraphQLError[] {
  try {
    return validate(schema, parse(text));
  } catch (error) {
    return [error as GraphQLError];
  }
}

function misconfigured(path: string, faults: readonly string[]): Error {
  const lines = faults.map((fault) => `\n  ${fault}`).join('');
  return new Error(`The trusted documents of ${path} do not hold (TRUSTED_DOCUMENTS):${lines}`);
}

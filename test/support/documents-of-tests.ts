// The operations of the whole test suite: those that stand in its files, and those that a run of it has sent.
import { appendFileSync, existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { type DocumentNode, type GraphQLSchema, parse, validate } from 'graphql';

/** A file that collects what tests ask, a line of JSON each. */
const FILE = process.env.DOCUMENTS_FILE;

export type SentOperation = { query: string; variables: object };

/** Writes an operation down, if `DOCUMENTS_FILE` says where. */
export function recordOperation(operation: SentOperation): void {
  if (FILE) appendFileSync(FILE, `${JSON.stringify(operation)}\n`);
}

/** What was written down, each once. */
export async function recordedOperations(): Promise<SentOperation[]> {
  const lines = FILE && existsSync(FILE) ? (await readFile(FILE, 'utf8')).trim().split('\n') : [];
  return [...new Set(lines)].map((line) => JSON.parse(line));
}

/** Literals of TypeScript that begin as an operation does. */
const LITERALS = /(['"`])(\s*(?:\{|query\b|mutation\b)[\s\S]*?)\1/g;

/** The texts in the files of tests that are valid operations of the schema, each once. */
export async function documentsOfTests(schema: GraphQLSchema): Promise<string[]> {
  const texts = new Set<string>();
  for await (const path of glob('test/**/*.ts', { exclude: (name) => name === 'node_modules' })) {
    const source = await readFile(path, 'utf8');
    for (const [, , text] of source.matchAll(LITERALS)) texts.add(text!);
  }
  return [...texts].filter((text) => isValid(schema, text));
}

function isValid(schema: GraphQLSchema, text: string): boolean {
  let document: DocumentNode;
  try {
    document = parse(text);
  } catch {
    return false;
  }
  return validate(schema, document).length === 0;
}

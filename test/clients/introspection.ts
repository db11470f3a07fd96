// `npm run client`: writes client/introspection.d.ts, the schema as a type, from which `coterie/client` types documents.
import { writeFile } from 'node:fs/promises';
import { minifyIntrospection, outputIntrospectionFile } from '@gql.tada/internal';
import { buildASTSchema, introspectionFromSchema } from 'graphql';
import { strictClientDocument } from '../../src/graphql/schema/print.ts';

/** The schema as gql.tada reads it, strict: a client that takes an answer with errors for none never meets their nulls. */
export const introspectionTypes = (): string =>
  outputIntrospectionFile(
    minifyIntrospection(introspectionFromSchema(buildASTSchema(strictClientDocument()))),
    { fileType: '.d.ts', shouldPreprocess: true },
  );

if (import.meta.main) {
  await writeFile(new URL('../../client/introspection.d.ts', import.meta.url), introspectionTypes());
  console.log('Wrote client/introspection.d.ts');
}

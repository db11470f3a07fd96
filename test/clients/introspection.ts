// `npm run client`: writes client/introspection.d.ts, the schema as a type, from which `coterie/client` types documents.
import { writeFile } from 'node:fs/promises';
import { minifyIntrospection, outputIntrospectionFile } from '@gql.tada/internal';
import { introspectionFromSchema } from 'graphql';
import { schema } from '../../src/graphql/schema/schema.ts';

/** The schema as gql.tada reads it. */
export const introspectionTypes = (): string =>
  outputIntrospectionFile(minifyIntrospection(introspectionFromSchema(schema)), {
    fileType: '.d.ts',
    shouldPreprocess: true,
  });

if (import.meta.main) {
  await writeFile(new URL('../../client/introspection.d.ts', import.meta.url), introspectionTypes());
  console.log('Wrote client/introspection.d.ts');
}

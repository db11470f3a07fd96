// `npm run schema`: writes schema.graphql, the subgraph's SDL, to the root of the repository. With `-- --client`, prints the
// schema without federation to stdout, for tools of frontends; with `-- --possible-types`, prints the possible types as
// JSON, for Apollo Client's cache.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { printClientSchema, printPossibleTypes, printSchema } from '../graphql/schema/print.ts';

const { values } = parseArgs({
  options: { client: { type: 'boolean' }, 'possible-types': { type: 'boolean' } },
});
if (values.client) {
  process.stdout.write(printClientSchema());
} else if (values['possible-types']) {
  process.stdout.write(printPossibleTypes());
} else {
  await writeFile(new URL('../../schema.graphql', import.meta.url), printSchema());
  console.log('Wrote schema.graphql');
}

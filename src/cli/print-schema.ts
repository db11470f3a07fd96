// `npm run schema`: writes schema.graphql, the subgraph's SDL, at the root of the repository. With `-- --client`, prints
// the schema as frontends' tools want it, without federation; with `-- --possible-types`, what Apollo Client's cache
// needs of it, as JSON: each alone on stdout.
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

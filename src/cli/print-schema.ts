// `npm run schema`: writes schema.graphql, the subgraph's SDL, at the root of the repository. With `-- --client`, prints
// the schema as frontends' tools want it, without federation, alone on stdout.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { printClientSchema, printSchema } from '../graphql/print-schema.ts';

const { values } = parseArgs({ options: { client: { type: 'boolean' } } });
if (values.client) {
  process.stdout.write(printClientSchema());
} else {
  await writeFile(new URL('../../schema.graphql', import.meta.url), printSchema());
  console.log('Wrote schema.graphql');
}

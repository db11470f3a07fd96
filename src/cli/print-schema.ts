// `npm run schema`: writes schema.graphql, the subgraph's SDL, at the root of the repository.
import { writeFile } from 'node:fs/promises';
import { printSchema } from '../graphql/print-schema.ts';

const file = new URL('../../schema.graphql', import.meta.url);
await writeFile(file, printSchema());
console.log('Wrote schema.graphql');

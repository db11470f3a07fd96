// `npm run openapi`: writes openapi.json, the description of the REST API, to the root of the repository.
import { writeFile } from 'node:fs/promises';
import { printOpenApi } from '../rest/openapi.ts';

await writeFile(new URL('../../openapi.json', import.meta.url), printOpenApi());
console.log('Wrote openapi.json');

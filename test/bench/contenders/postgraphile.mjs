// PostGraphile 5 over the same tables, as its documentation sets it up for production. It checks no token.
import { createServer } from 'node:http';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';

const { DATABASE_URL, PORT } = process.env;

const handler = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      connectionString: DATABASE_URL,
      schemas: ['public'],
      poolConfig: { max: 10 },
      pubsub: false,
    }),
  ],
  grafserv: { graphqlPath: '/graphql', graphiql: false, watch: false, websockets: false },
}).createServ(grafserv);
const server = createServer();
server.on('error', (error) => process.stderr.write(`${error.stack}\n`));
await handler.addTo(server);
server.listen(Number(PORT), '127.0.0.1');

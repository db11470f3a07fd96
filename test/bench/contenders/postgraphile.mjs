// PostGraphile 5 over the same tables, as its documentation sets it up for production. It checks no token.
import { createServer } from 'node:http';
import { postgraphile } from 'postgraphile';
import { TYPES } from 'postgraphile/@dataplan/pg';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';

const { DATABASE_URL, PORT } = process.env;

/** It does not know this type of a column that nobody asks it for, and would warn of it at length. */
const transactionIds = {
  name: 'TransactionIdsPlugin',
  gather: {
    hooks: {
      pgCodecs_findPgCodec(_info, event) {
        if (event.pgType.typname === 'xid8') event.pgCodec = TYPES.bigint;
      },
    },
  },
};

const handler = postgraphile({
  extends: [PostGraphileAmberPreset],
  plugins: [transactionIds],
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

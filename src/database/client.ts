// A connection whose loss is no event that ends the process.
import pg from 'pg';

/**
 * A client whose `error` event always has a listener. Whoever uses it learns of a loss by its statements, or adds a listener
 * too. The driver's pool has none between the answer of one statement and the next one that takes the connection: a server that
 * shuts down in that moment would end the process.
 */
export class Client extends pg.Client {
  constructor(config: string | pg.ClientConfig) {
    super(config);
    this.on('error', () => {});
  }
}

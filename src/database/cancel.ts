// Cancels what a connection is running, with a cancel request of PostgreSQL's protocol over a connection of its own.
import { once } from 'node:events';
import pg from 'pg';

/** What the driver knows of a connection and its server, and its types leave out. */
type Target = {
  host: string;
  port: number;
  ssl: boolean | object;
  sslNegotiation: string;
  processID: number;
  secretKey: number;
};
type Channel = pg.Connection & {
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
};

/**
 * Sends the request, and resolves when the server has closed the connection, or after `timeout` milliseconds at most. Never
 * rejects: the server does not report whether it cancelled anything. The request works through PgBouncer, where the process
 * id of a session is not known. It may take effect late, so the connection must not be used for anything else afterwards.
 */
export async function cancelStatement(client: pg.ClientBase, timeout: number): Promise<void> {
  const { host, port, ssl, sslNegotiation, processID, secretKey } = client as unknown as Target;
  const channel = new pg.Connection({ ssl, sslNegotiation } as pg.ConnectionConfig) as Channel;
  const send = () => channel.cancel(processID, secretKey);
  // With TLS, it is the driver's handshake that `sslconnect` ends; direct TLS needs no request for it.
  if (!ssl) channel.on('connect', send);
  else if (sslNegotiation !== 'direct') channel.on('connect', () => channel.requestSsl());
  channel.on('sslconnect', send);
  channel.on('error', () => {});
  if (host.startsWith('/')) channel.connect(`${host}/.s.PGSQL.${port}`);
  else channel.connect(port, host);
  try {
    await once(channel, 'end', { signal: AbortSignal.timeout(timeout) });
  } catch {
    // The time is up, or the server cannot be reached: the statement's own timeout ends it.
  } finally {
    channel.stream.destroy();
  }
}

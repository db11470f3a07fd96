// A listening server over a small directory, and a count of what its clients sent: for scripted sessions of real clients.
import type { RequestListener } from 'node:http';
import { createGroup } from '../../src/domain/commands/create-group.ts';
import { addNestedGroups } from '../../src/domain/commands/nest-groups.ts';
import { listen } from '../../src/http/server.ts';
import { createTenant, openAsAdmin } from '../support/directories.ts';
import { openTestDatabase } from '../support/postgresql.ts';
import { startApp } from '../support/server.ts';

export async function startListening() {
  const database = await openTestDatabase();
  const app = await startApp(database.db);
  let requests: string[] = [];
  const counting: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => requests.push(JSON.parse(Buffer.concat(chunks).toString()).query));
    app.app.listener(request, response);
  };
  const server = await listen(counting, {
    host: '127.0.0.1',
    port: 0,
    timeouts: { request: 10_000, headers: 10_000 },
  });
  return {
    url: `${server.url}/graphql`,
    /**
     * A tenant of twelve users, and the requests sent since it was made. "Team" has five of them; "Part 0" to "Part 5" are
     * filed under it and nested in it, each with one more user, and "Everyone" nests it.
     */
    async newTenant() {
      const { tenantId, userIds } = await createTenant(database.db, 12);
      const directory = openAsAdmin(database.db, tenantId);
      const create = async (name: string, parentGroupId: string | null, initialMemberIds: string[]) =>
        (await createGroup(directory, { tenantId, name, parentGroupId, initialMemberIds })).group.id;
      const team = await create('Team', null, userIds.slice(0, 5));
      const parts: string[] = [];
      for (let at = 0; at < 6; at += 1) parts.push(await create(`Part ${at}`, team, [userIds[at + 5]!]));
      await addNestedGroups(directory, { groupId: team, childGroupIds: parts });
      const everyone = await create('Everyone', null, []);
      await addNestedGroups(directory, { groupId: everyone, childGroupIds: [team] });
      const token = await app.tokenFor({ sub: userIds[0], role: 'tenant_admin', tenant_id: tenantId });
      const headers = { authorization: `Bearer ${token}` };
      requests = [];
      return { tenantId, userIds, team, parts, everyone, headers, requests };
    },
    async stop() {
      await server.stop();
      await database.close();
    },
  };
}

export type Listening = Awaited<ReturnType<typeof startListening>>;
export type Tenant = Awaited<ReturnType<Listening['newTenant']>>;

// Text that is no id, where changes name their target: refused as any other, by whoever sends it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTenant } from '../support/directories.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgresql.ts';
import { type Claims, SUPER_ADMIN, startApp, type TestApp } from '../support/server.ts';

let database: TestDatabase;
let server: TestApp;
beforeAll(async () => {
  database = await openTestDatabase();
  server = await startApp(database.db);
});
afterAll(() => database.close());

const PREVIEW = `query ($changes: [ChangeInput!]!) { previewChanges(changes: $changes) {
  effects { outcomes { refusal { code } } } } }`;
const PAST =
  'query ($id: ID!, $at: DateTime) { tenant(id: $id) { asOf(at: $at) { group(id: "grp_\\u0000") { name } } } }';

test.each(['grp_\u0000', 'tnt_\u0000', 'usr_\ud800', '', 'x'.repeat(5_000)])('%j', async (id) => {
  const { tenantId, partnerId } = await createTenant(database.db);
  const callers: Claims[] = [
    SUPER_ADMIN,
    { sub: 'usr_admin', role: 'partner_admin', partner_id: partnerId },
    { sub: 'usr_admin', role: 'tenant_admin', tenant_id: tenantId },
  ];
  for (const claims of callers) {
    for (const change of [
      { deleteGroup: { id } },
      { createGroup: { tenantId: id, name: 'A' } },
      { removeNestedGroup: { groupId: id, childGroupId: id } },
    ]) {
      const { body } = await server.ask(claims, PREVIEW, { changes: [change] });
      const code = body.errors?.[0]?.extensions.code;
      expect(code ?? JSON.stringify(body.data), JSON.stringify(change)).toMatch(
        /NOT_FOUND|VALIDATION_FAILED/,
      );
    }
    for (const at of ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59']) {
      const { body } = await server.ask(claims, PAST, { id: tenantId, at });
      expect(body.errors?.[0]?.extensions.code).toMatch(/HISTORY_UNAVAILABLE|VALIDATION_FAILED/);
    }
  }
});

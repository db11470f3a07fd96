// Claims → Caller: the whole caller for each kind of token, and what each refusal names.
import { describe, expect, test } from 'vitest';
import { callerOf } from '../../src/auth/claims.ts';
import { isDirectoryError } from '../../src/model/errors.ts';

/** Code and message with which the claims are refused. */
function refusal(claims: object, issuerTenant: string | null = null): [string, string] {
  try {
    callerOf(claims, issuerTenant);
  } catch (error) {
    if (isDirectoryError(error)) return [error.code, error.message];
    throw error;
  }
  throw new Error(`${JSON.stringify(claims)} were accepted`);
}

const everything = { kind: 'all' };
const tenantA = { kind: 'tenant', tenantId: 'tnt_A' };
const user = { role: 'USER', subject: 'usr_A', userId: 'usr_A', tenantId: 'tnt_A' };

describe('the caller of', () => {
  test.each<[string, object, object]>([
    ['a user', { sub: 'usr_A', tenant_id: 'tnt_A' }, user],
    [
      'a user, whatever its scopes and partner',
      { sub: 'usr_A', tenant_id: 'tnt_A', partner_id: 'prt_A', scope: 'groups:write admin:write' },
      user,
    ],
    ['a user with platform_token: false', { sub: 'usr_A', tenant_id: 'tnt_A', platform_token: false }, user],
    [
      'a super_admin',
      { sub: 'usr_A', role: 'super_admin', tenant_id: 'tnt_A', partner_id: 'prt_A' },
      { role: 'SUPER_ADMIN', subject: 'usr_A', visibility: everything, mayChange: true },
    ],
    [
      'a partner_admin',
      { sub: 'usr_A', role: 'partner_admin', tenant_id: 'tnt_A', partner_id: 'prt_A' },
      {
        role: 'PARTNER_ADMIN',
        subject: 'usr_A',
        visibility: { kind: 'partner', partnerId: 'prt_A' },
        mayChange: true,
      },
    ],
    [
      'a tenant_admin',
      { sub: 'usr_A', role: 'tenant_admin', tenant_id: 'tnt_A', partner_id: 'prt_A' },
      { role: 'TENANT_ADMIN', subject: 'usr_A', visibility: tenantA, mayChange: true },
    ],
    [
      'an administrator whose subject is no user',
      { sub: 'client', role: 'tenant_admin', tenant_id: 'tnt_A' },
      { role: 'TENANT_ADMIN', subject: 'client', visibility: tenantA, mayChange: true },
    ],
    ...[
      ['groups:read', false],
      ['groups:write', true],
      ['groups:read groups:write', true],
      ['openid groups:read profile', false],
    ].map(
      ([scope, mayChange]) =>
        [
          `a service with ${scope}`,
          { sub: 'app', tenant_id: 'tnt_A', scope },
          { role: 'SERVICE', subject: 'app', visibility: tenantA, mayChange },
        ] as [string, object, object],
    ),
    ...[
      ['admin:read', false],
      ['admin:write', true],
      ['admin:write admin:read', true],
    ].map(
      ([scope, mayChange]) =>
        [
          `a platform token with ${scope}`,
          { sub: 'app', platform_token: true, scope },
          { role: 'PLATFORM', subject: 'app', visibility: everything, mayChange },
        ] as [string, object, object],
    ),
    [
      'a platform token that bears a role and a tenant too',
      { sub: 'usr_A', platform_token: true, scope: 'admin:read', role: 'tenant_admin', tenant_id: 'tnt_A' },
      { role: 'PLATFORM', subject: 'usr_A', visibility: everything, mayChange: false },
    ],
    [
      'a service whose subject only looks like a user',
      { sub: 'usr_', tenant_id: 'tnt_A', scope: 'groups:read' },
      { role: 'SERVICE', subject: 'usr_', visibility: tenantA, mayChange: false },
    ],
  ])('%s', (_what, claims, caller) => {
    expect(callerOf(claims, null)).toEqual(caller);
  });

  test('a user whose issuer names the same tenant', () => {
    expect(callerOf({ sub: 'usr_A', tenant_id: 'tnt_A' }, 'tnt_A')).toEqual(user);
  });

  const service = { role: 'SERVICE', subject: 'usr_A', visibility: tenantA };
  const administrator = {
    role: 'TENANT_ADMIN',
    subject: 'usr_A',
    visibility: tenantA,
    mayChange: true,
  };
  test.each<[string, object, object]>([
    ['a super_admin', { role: 'super_admin' }, administrator],
    ['a partner_admin', { role: 'partner_admin', partner_id: 'prt_A' }, administrator],
    ['a tenant_admin', { role: 'tenant_admin' }, administrator],
    [
      'a platform token that reads',
      { platform_token: true, scope: 'admin:read' },
      { ...service, mayChange: false },
    ],
    [
      'a platform token that writes',
      { platform_token: true, scope: 'admin:write' },
      { ...service, mayChange: true },
    ],
    ['a service', { sub: 'app', scope: 'groups:write' }, { ...service, subject: 'app', mayChange: true }],
    ['a user', {}, user],
  ])('%s whose issuer stands for a tenant is of that tenant at most', (_who, claims, caller) => {
    for (const tenant of [{}, { tenant_id: 'tnt_A' }])
      expect(callerOf({ sub: 'usr_A', ...claims, ...tenant }, 'tnt_A')).toEqual(caller);
    expect(refusal({ sub: 'usr_A', ...claims, tenant_id: 'tnt_B' }, 'tnt_A')[0]).toBe('UNAUTHENTICATED');
    expect(refusal({ sub: 'usr_A', ...claims }, 'A')[0], 'no tenant at all').toBe('UNAUTHENTICATED');
  });

  test('a subject of 255 characters', () => {
    const sub = 'x'.repeat(255);
    expect(callerOf({ sub, role: 'super_admin' }, null).subject).toBe(sub);
  });
});

describe('UNAUTHENTICATED names', () => {
  test.each<[string, object, string]>([
    ['an absent subject', { role: 'super_admin' }, 'sub'],
    ['an empty subject', { sub: '', role: 'super_admin' }, 'sub'],
    ['a subject of 256 characters', { sub: 'x'.repeat(256), role: 'super_admin' }, 'sub'],
    ['a subject with NUL', { sub: 'usr_A\0', role: 'super_admin' }, 'sub'],
    ['a subject with a line break', { sub: 'usr_A\n', role: 'super_admin' }, 'sub'],
    ['a subject with half a character', { sub: 'usr_\ud800', role: 'super_admin' }, 'sub'],
    ['a subject that is no text', { sub: 7, role: 'super_admin' }, 'sub'],
    ['a scope that is no text', { sub: 'app', tenant_id: 'tnt_A', scope: ['groups:read'] }, 'scope'],
    ['a role that is no text', { sub: 'usr_A', tenant_id: 'tnt_A', role: ['super_admin'] }, 'role'],
    ['a tenant that is no id', { sub: 'usr_A', tenant_id: 'A' }, 'tenant_id'],
    ["a tenant that is a partner's id", { sub: 'usr_A', tenant_id: 'prt_A' }, 'tenant_id'],
    [
      "a partner that is a tenant's id",
      { sub: 'usr_A', role: 'partner_admin', partner_id: 'tnt_A' },
      'partner_id',
    ],
    [
      'a platform_token that is no boolean',
      { sub: 'app', platform_token: 'true', scope: 'admin:read' },
      'platform_token',
    ],
    [
      'all of them at once',
      { sub: '', tenant_id: 'A', partner_id: null, platform_token: 1 },
      'sub, tenant_id, partner_id, platform_token',
    ],
  ])('%s', (_what, claims, names) => {
    const [code, message] = refusal(claims);
    expect(code).toBe('UNAUTHENTICATED');
    expect(message.endsWith(`: ${names}`), message).toBe(true);
  });

  test.each<[string, object, string[]]>([
    ['a role that is not known', { sub: 'usr_A', tenant_id: 'tnt_A', role: 'owner' }, ['owner']],
    ['a role in other letters', { sub: 'usr_A', tenant_id: 'tnt_A', role: 'SUPER_ADMIN' }, ['SUPER_ADMIN']],
    ['an empty role', { sub: 'usr_A', tenant_id: 'tnt_A', role: '' }, ['role is not known']],
    [
      'the partner that a partner_admin lacks',
      { sub: 'usr_A', role: 'partner_admin', tenant_id: 'tnt_A' },
      ['partner_id', 'partner_admin'],
    ],
    [
      'the tenant that a tenant_admin lacks',
      { sub: 'usr_A', role: 'tenant_admin', partner_id: 'prt_A' },
      ['tenant_id', 'tenant_admin'],
    ],
    ['the tenant that a user lacks', { sub: 'usr_A' }, ['tenant_id', 'without a role']],
    [
      'the tenant that a service lacks',
      { sub: 'app', scope: 'groups:read' },
      ['tenant_id', 'without a role'],
    ],
  ])('%s', (_what, claims, words) => {
    const [code, message] = refusal(claims);
    expect(code).toBe('UNAUTHENTICATED');
    for (const word of words) expect(message).toContain(word);
  });

  test.each([
    ['a user', { sub: 'usr_A', tenant_id: 'tnt_A' }],
    ['a tenant_admin', { sub: 'usr_A', role: 'tenant_admin', tenant_id: 'tnt_A' }],
    ['a platform token', { sub: 'app', platform_token: true, scope: 'admin:read', tenant_id: 'tnt_A' }],
  ])('the tenant_id of %s that is not the tenant of its issuer', (_who, claims) => {
    const [code, message] = refusal(claims, 'tnt_B');
    expect(code).toBe('UNAUTHENTICATED');
    expect(message).toMatch(/tenant_id.* issuer/);
  });
});

describe('a machine without a scope is FORBIDDEN:', () => {
  const platform = 'Platform token requires admin:read or admin:write scope';
  const service = 'Service token requires groups:read or groups:write scope';
  test.each<[string, object, string]>([
    ['a platform token without any', { platform_token: true }, platform],
    [
      "a platform token with a service's",
      { platform_token: true, scope: 'groups:read groups:write' },
      platform,
    ],
    [
      'a platform token with longer words',
      { platform_token: true, scope: 'admin:reader xadmin:write' },
      platform,
    ],
    ['a service without any', {}, service],
    ["a service with the platform's", { scope: 'admin:read admin:write' }, service],
    ['a service with commas', { scope: 'groups:read,groups:write' }, service],
  ])('%s', (_what, claims, message) => {
    expect(refusal({ sub: 'app', tenant_id: 'tnt_A', ...claims })).toEqual(['FORBIDDEN', message]);
  });
});

test.each<[string, unknown]>([
  ['a chain of delegates', { sub: 'helper', act: { sub: 'agent' } }],
  ['a text', 'helper'],
  ['null', null],
])('an `act` claim that is %s changes nothing', (_what, act) => {
  for (const claims of [
    { sub: 'usr_A', tenant_id: 'tnt_A' },
    { sub: 'usr_A', role: 'super_admin' },
  ])
    expect(callerOf({ ...claims, act }, null)).toEqual(callerOf(claims, null));
});

// A Prisma client that can only read the tenants in sight of a caller.
import type { Database } from '../database/database.ts';
import { databaseError } from '../database/errors.ts';
import { type Caller, isUserCaller } from '../model/caller.ts';

type Where = Record<string, unknown> | undefined;

function scopes(caller: Caller) {
  const sight = isUserCaller(caller) ? { kind: 'tenant' as const, tenantId: caller.tenantId } : caller.sight;
  switch (sight.kind) {
    case 'all':
      return { owned: {}, tenant: {}, partner: {} };
    case 'partner':
      return {
        owned: { tenant: { partnerId: sight.partnerId } },
        tenant: { partnerId: sight.partnerId },
        partner: { id: sight.partnerId },
      };
    case 'tenant':
      return {
        owned: { tenantId: sight.tenantId },
        tenant: { id: sight.tenantId },
        partner: { tenants: { some: { id: sight.tenantId } } },
      };
  }
}

/**
 * The reading half of the client (`findMany`), with the caller's tenants added to each condition; deleted groups
 * are never found. Other operations are refused: changes are SQL, in `change`.
 */
export function scopedPrisma({ prisma }: Database, caller: Caller) {
  const { owned, tenant, partner } = scopes(caller);
  const within =
    (...scope: object[]) =>
    <Args extends { where?: Where }, Result>({
      args,
      query,
    }: {
      args: Args;
      query: (args: Args) => Result;
    }) =>
      query({ ...args, where: { AND: [args.where ?? {}, ...scope] } });
  return prisma.$extends({
    query: {
      $allModels: {
        $allOperations({ operation, args, query }) {
          if (operation !== 'findMany') throw new Error(`${operation} is not offered on a scoped client`);
          return query(args).catch((error: unknown) => {
            throw databaseError(error);
          });
        },
      },
      group: { findMany: within(owned, { deletedAt: null }) as never },
      user: { findMany: within(owned) as never },
      tenant: { findMany: within(tenant) as never },
      partner: { findMany: within(partner) as never },
    },
  });
}

export type ScopedPrisma = ReturnType<typeof scopedPrisma>;

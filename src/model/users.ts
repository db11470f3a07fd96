// Users, mirrored from the identity provider: the inputs of the operations that update the mirror.
import { z } from 'zod';
import type { OrderDirection } from './groups.ts';
import { tenantId, userId } from './ids.ts';
import { isPrintable, line } from './text.ts';

/** Maximum characters of an address: 64 before the @ and 255 behind it (RFC 5321, section 4.5.3.1). */
const MAX_EMAIL = 320;

export const USER_ORDER_FIELDS = ['USER_ID', 'EMAIL', 'DISPLAY_NAME'] as const;
export type UserOrder = { field: (typeof USER_ORDER_FIELDS)[number]; direction: OrderDirection };

const email = z
  .string()
  .refine((text) => text.length <= MAX_EMAIL, `must have at most ${MAX_EMAIL} characters`)
  .refine((text) => /^[^\s@]+@[^\s@]+$/.test(text) && isPrintable(text), 'must be an email address');

export const userInput = z.object({ id: userId, email, displayName: line().nullish() });

/** Input of upsertUsers; an id named twice is refused. */
export const upsertUsersInput = z
  .object({ tenantId, users: z.array(userInput) })
  .refine(({ users }) => new Set(users.map((user) => user.id)).size === users.length, {
    path: ['users'],
    message: 'must not name a user twice',
  });
export type UpsertUsersInput = z.input<typeof upsertUsersInput>;

/** Input of removeUsers. */
export const removeUsersInput = z.object({ tenantId, userIds: z.array(userId) });
export type RemoveUsersInput = z.input<typeof removeUsersInput>;

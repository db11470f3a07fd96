// Ids: a prefix that names the type, an underscore and a random part. All APIs use the same ids.
import { customAlphabet } from 'nanoid';
import { z } from 'zod';

declare const brand: unique symbol;
type Id<Kind extends string> = string & { readonly [brand]: Kind };

export type PartnerId = Id<'partner'>;
export type TenantId = Id<'tenant'>;
export type UserId = Id<'user'>;
export type GroupId = Id<'group'>;
export type DeletionId = Id<'deletion'>;

/** Prefix of each kind of id. `del_` identifies a deletion and is not part of the API. */
export const ID_PREFIXES = {
  partner: 'prt',
  tenant: 'tnt',
  user: 'usr',
  group: 'grp',
  deletion: 'del',
} as const;
export type IdKind = keyof typeof ID_PREFIXES;
type IdOf = { partner: PartnerId; tenant: TenantId; user: UserId; group: GroupId; deletion: DeletionId };

/** 16 of 62 characters: 95 random bits, so that ids cannot be guessed and are unique without coordination. */
const randomPart = customAlphabet('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', 16);

/** Maximum length of the random part. Imported ids are preserved, so it may be any URL-safe text up to this length. */
const MAX_RANDOM_PART = 64;

/** Generates an id of this kind. */
export function newId<Kind extends IdKind>(kind: Kind): IdOf[Kind] {
  return `${ID_PREFIXES[kind]}_${randomPart()}` as IdOf[Kind];
}

/** Whether the text has the format of an id of this kind; the id need not exist. */
export function isIdOf<Kind extends IdKind>(kind: Kind, text: string): text is IdOf[Kind] {
  return idPatterns[kind].test(text);
}

/** The kind of an id, by its prefix; null if the text is not an id. */
export function kindOfId(text: string): IdKind | null {
  return (Object.keys(ID_PREFIXES) as IdKind[]).find((kind) => isIdOf(kind, text)) ?? null;
}

const idPatterns = Object.fromEntries(
  Object.entries(ID_PREFIXES).map(([kind, prefix]) => [
    kind,
    new RegExp(`^${prefix}_[A-Za-z0-9_-]{1,${MAX_RANDOM_PART}}$`),
  ]),
) as Record<IdKind, RegExp>;

function idSchema<Kind extends IdKind>(kind: Kind) {
  return z
    .string()
    .regex(
      idPatterns[kind],
      `must be a ${kind} id, such as ${ID_PREFIXES[kind]}_ followed by letters and digits`,
    )
    .transform((text) => text as IdOf[Kind]);
}

export const partnerId = idSchema('partner');
export const tenantId = idSchema('tenant');
export const userId = idSchema('user');
export const groupId = idSchema('group');

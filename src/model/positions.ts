// Positions of tenants' logs as text, in the header `Coterie-Position`: what an answer holds, and what a client asks for.
import { refuse } from './errors.ts';
import { isIdOf, type TenantId } from './ids.ts';

export type Positions = ReadonlyMap<TenantId, number>;

/** Tenants in one text: more than one request reads. */
const MAX_TENANTS = 100;
/** Parses `tnt_…=42, tnt_…=7`. Refused with VALIDATION_FAILED: any other text. */
export function parsePositions(text: string): Positions {
  const positions = new Map<TenantId, number>();
  for (const part of text.split(',')) {
    const [tenantId = '', digits = '', ...rest] = part.trim().split('=');
    const isValid = isIdOf('tenant', tenantId) && /^(?:0|[1-9]\d{0,14})$/.test(digits) && rest.length === 0;
    if (!isValid || positions.size === MAX_TENANTS) {
      throw refuse.validation([
        { path: ['Coterie-Position'], message: 'must be tenants with positions, such as tnt_A=42, tnt_B=7' },
      ]);
    }
    positions.set(tenantId, Math.max(Number(digits), positions.get(tenantId) ?? 0));
  }
  return positions;
}

/** The positions as text: of as many tenants as a client may send back, those that were read first. */
export const printPositions = (positions: Positions): string =>
  [...positions]
    .slice(0, MAX_TENANTS)
    .map(([tenantId, position]) => `${tenantId}=${position}`)
    .join(', ');

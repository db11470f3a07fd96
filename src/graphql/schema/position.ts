// The scalar `Position`, and the field of each mutation's payload that tells the position of its change.
import { GraphQLError, GraphQLScalarType } from 'graphql';
import type { Positioned } from '../../domain/directory.ts';

/** Decimal digits without leading zeros, small enough to be exact in JavaScript. */
const DIGITS = /^(?:0|[1-9]\d{0,14})$/;

function parsePosition(value: unknown): number {
  if (typeof value === 'string' && DIGITS.test(value)) return Number(value);
  throw new GraphQLError('Position must be decimal digits as text, such as "42"');
}

/** Text in responses and variables, a number in the domain. */
export const Position = new GraphQLScalarType<number, string>({
  name: 'Position',
  description: "A position in a tenant's log: decimal digits as text. Each change takes the next one.",
  serialize: (position) => String(position),
  parseValue: parsePosition,
  parseLiteral: (node) => parsePosition(node.kind === 'StringValue' ? node.value : null),
});

/** The field `position` of a payload. */
export const positionField = {
  type: 'Position' as const,
  nullable: false as const,
  description:
    "The position of the change in the tenant's log; if nothing changed, the latest position before.",
  resolve: ({ position }: Positioned) => position,
};

// Generators of fast-check for what an OpenAPI schema describes, and for what it nearly describes.
import fc from 'fast-check';
import { openApiDocument } from '../../src/rest/openapi.ts';

export type Schema = {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  pattern?: string;
  minLength?: number;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  allOf?: Schema[];
  anyOf?: Schema[];
  additionalProperties?: Schema;
};
export type Kind = 'group' | 'user' | 'tenant' | 'partner';
const PREFIXES: Record<string, Kind> = { grp: 'group', usr: 'user', tnt: 'tenant', prt: 'partner' };

const {
  components: { schemas: components },
} = JSON.parse(JSON.stringify(openApiDocument())) as { components: { schemas: Record<string, Schema> } };

const awkward = fc.constantFrom(
  ' ',
  '%',
  '%00',
  'null',
  '-1',
  '1e3',
  '0x1',
  '\u0000',
  '\u{1f600}',
  '\ud800',
  "'",
  '$&',
);
export const anything = fc.oneof(
  awkward,
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.string({ minLength: 250, maxLength: 300 }),
);

/** An id of the kind that the pattern names: one that exists (picked when it is sent), or one of the right form. */
const idOf = (pattern: string) => {
  const kind = PREFIXES[/^\^([a-z]{3})_/.exec(pattern)?.[1] ?? ''];
  const wellFormed = fc.stringMatching(new RegExp(pattern));
  if (!kind) return wellFormed;
  const existing = fc.nat({ max: 50 }).map((at) => `pick:${kind}:${at}`);
  return fc.oneof({ weight: 8, arbitrary: existing }, { weight: 1, arbitrary: wellFormed });
};

/** Values that the schema describes. */
export function valid(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.$ref) return valid(components[schema.$ref.split('/').at(-1)!]!);
  if (schema.allOf) {
    const parts = schema.allOf.map((part) =>
      part.$ref || part.type || part.properties ? valid(part) : null,
    );
    const real = parts.filter((part) => part !== null);
    return real.length === 1
      ? real[0]!
      : fc.tuple(...real).map((values) => Object.assign({}, ...(values as object[])));
  }
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valid));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const types = [schema.type].flat();
  return fc.oneof(
    ...types.map((type): fc.Arbitrary<unknown> => {
      switch (type) {
        case 'null':
          return fc.constant(null);
        case 'string':
          if (schema.pattern) return idOf(schema.pattern);
          return fc.oneof(
            fc.string({ minLength: schema.minLength ?? 0, maxLength: 30 }),
            fc.constantFrom('Alpha', 'Beta'),
          );
        case 'integer':
          return fc.integer({ min: schema.minimum ?? 0, max: Math.min(schema.maximum ?? 100, 100) });
        case 'array':
          return fc.array(valid(schema.items!), { maxLength: 4 });
        case 'object':
          return schema.properties
            ? fc.record(
                Object.fromEntries(
                  Object.entries(schema.properties).map(([name, field]) => [name, valid(field)]),
                ),
                { requiredKeys: schema.required ?? [] },
              )
            : fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 });
        default:
          return fc.jsonValue();
      }
    }),
  );
}

/** Mostly what the schema describes, now and then something else. */
export const nearly = (schema: Schema, else_: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 9, arbitrary: valid(schema) }, { weight: 1, arbitrary: else_ });

/** A body of the schema with one field replaced by anything. */
export const damaged = (schema: Schema) =>
  fc.tuple(valid(schema), fc.nat(), fc.jsonValue({ maxDepth: 2 })).map(([body, at, value]) => {
    const fields = Object.keys(body as object);
    return fields.length === 0 ? value : { ...(body as object), [fields[at % fields.length]!]: value };
  });

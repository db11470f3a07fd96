// Operations drawn at random from a schema: what its fields, arguments and types allow, and what clients do with them.
import {
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
  parse,
  validate,
} from 'graphql';

export type GeneratedOperation = { query: string; variables: Record<string, unknown> };

/** Values of a scalar: JSON that fits it, or that does not. */
export type Scalars = Record<string, readonly unknown[]>;

type Pick = <Item>(items: readonly Item[]) => Item;

/** Names that clients give, and names that mean something in JavaScript or to a compiler. */
const ALIASES = ['a', 'b', 'c', 'item', 'idx0', 'Group', 'name', 'constructor'];
const ODD_ALIASES = [...ALIASES, 'a_b', 'b_c', 'c_a', '__proto__'];

/** Draws valid operations; `draw(n)` gives a whole number below n. */
export function operationGenerator(schema: GraphQLSchema, draw: (below: number) => number, scalars: Scalars) {
  return () => {
    for (;;) {
      const operation = new Generator(schema, draw, scalars).operation();
      if (validate(schema, parse(operation.query)).length === 0) return operation;
    }
  };
}

/** JSON for a place of this type. */
export function drawJson(
  schema: GraphQLSchema,
  type: GraphQLInputType,
  draw: (below: number) => number,
  scalars: Scalars,
): unknown {
  return new Generator(schema, draw, scalars).json(type);
}

class Generator {
  readonly #definitions: string[] = [];
  readonly #variables: Record<string, unknown> = {};
  readonly #names = new Map<string, string>();
  readonly #fragments: { name: string; type: string; text: string }[] = [];

  /** What only some operations have: the compiler leaves them to graphql-js. */
  readonly #conditional: boolean;
  readonly #aliases: readonly string[];
  readonly schema: GraphQLSchema;
  readonly pick: Pick;
  readonly chance: (percent: number) => boolean;
  readonly scalars: Scalars;

  constructor(schema: GraphQLSchema, draw: (below: number) => number, scalars: Scalars) {
    this.schema = schema;
    this.pick = (items) => items[draw(items.length)]!;
    this.chance = (percent) => draw(100) < percent;
    this.scalars = scalars;
    this.#conditional = this.chance(35);
    this.#aliases = this.chance(25) ? ODD_ALIASES : ALIASES;
  }

  operation(): GeneratedOperation {
    const mutates = this.schema.getMutationType() && this.chance(10);
    const root = mutates ? this.schema.getMutationType()! : this.schema.getQueryType()!;
    const selection = this.selection(root, 4);
    const definitions = this.#definitions.length > 0 ? `(${this.#definitions.join(', ')})` : '';
    const fragments = this.#fragments.map(({ name, type, text }) => `fragment ${name} on ${type} ${text}`);
    const query = [`${mutates ? 'mutation' : 'query'} Drawn${definitions} ${selection}`, ...fragments].join(
      '\n',
    );
    return { query, variables: this.#variables };
  }

  /** Text that selects something of the type, at most so many objects deep. */
  selection(type: GraphQLNamedType, depth: number): string {
    const parts = [this.part(type, depth)];
    while (parts.length < 4 && this.chance(50)) parts.push(this.part(type, depth));
    return `{ ${parts.join(' ')} }`;
  }

  part(type: GraphQLNamedType, depth: number): string {
    if (isAbstractType(type) && this.chance(60)) {
      const possible = this.pick(this.schema.getPossibleTypes(type));
      return `... on ${possible.name}${this.directive()} ${this.selection(possible, depth)}`;
    }
    if (this.chance(12)) return `...${this.directive()} ${this.selection(type, depth - 1)}`;
    if (this.chance(15)) return `...${this.fragment(type, depth)}${this.directive()}`;
    return this.field(type, depth);
  }

  /** A fragment of the operation, often one that is spread elsewhere already. */
  fragment(type: GraphQLNamedType, depth: number): string {
    const known = this.#fragments.filter((fragment) => fragment.type === type.name);
    if (known.length > 0 && this.chance(60)) return this.pick(known).name;
    const text = this.selection(type, depth - 1);
    const name = `F${this.#fragments.length}`;
    this.#fragments.push({ name, type: type.name, text });
    return name;
  }

  field(type: GraphQLNamedType, depth: number): string {
    const fields = 'getFields' in type ? Object.values((type as GraphQLObjectType).getFields()) : [];
    const possible = fields.filter((field) => depth > 0 || isLeafType(getNamedType(field.type)));
    if (possible.length === 0 || this.chance(8)) {
      return `${this.named('__typename', '__typename')}${this.directive()}`;
    }
    const field = this.pick(possible);
    const args = field.args.filter((arg) => isRequiredArgument(arg) || this.chance(35));
    const given = args.map((arg) => `${arg.name}: ${this.input(arg)}`);
    const inner = getNamedType(field.type);
    const plumbing = /(Connection|Edge)$/.test(inner.name);
    const below = isLeafType(inner) ? '' : ` ${this.selection(inner, plumbing ? depth : depth - 1)}`;
    const called = `${field.name}${given.length > 0 ? `(${given.join(', ')})` : ''}`;
    return `${this.named(field.name, called, String(field.type))}${this.directive()}${below}`;
  }

  /** The field, under an alias now and then, and where another one of the operation has the name. */
  named(fieldName: string, called: string, type = ''): string {
    const signature = `${called} ${type}`;
    let name = this.chance(25) ? this.pick(this.#aliases) : fieldName;
    if ((this.#names.get(name) ?? signature) !== signature) name = `x${this.#names.size}`;
    this.#names.set(name, signature);
    return name === fieldName ? called : `${name}: ${called}`;
  }

  directive(): string {
    if (!this.#conditional || this.chance(80)) return '';
    const name = this.pick(['skip', 'include']);
    const condition = this.chance(50) ? String(this.chance(50)) : this.variable('Boolean!', this.chance(50));
    return ` @${name}(if: ${condition})`;
  }

  /** A literal, or a variable: declared as the place asks, or nullable with a default; given, null, or absent. */
  input({ type, defaultValue }: GraphQLArgument | GraphQLInputField): string {
    return this.value(type, defaultValue !== undefined);
  }

  value(type: GraphQLInputType, hasDefault = false): string {
    if (!this.chance(45)) return this.literal(type);
    const nullable = getNullableType(type);
    if (isNonNullType(type)) {
      if (hasDefault || this.chance(25)) {
        const withDefault = `${nullable} = ${toLiteral(this.json(nullable), nullable)}`;
        return this.variable(withDefault, this.chance(50) ? undefined : this.json(nullable));
      }
      return this.variable(String(type), this.chance(90) ? this.json(type) : undefined);
    }
    const declared = this.chance(20) ? `${type} = ${toLiteral(this.json(nullable), nullable)}` : String(type);
    if (this.chance(40)) return this.variable(declared, undefined);
    return this.variable(declared, this.chance(20) ? null : this.json(type));
  }

  /** Undefined: it is declared, and not given. */
  variable(declared: string, value: unknown): string {
    const name = `v${this.#definitions.length}`;
    this.#definitions.push(`$${name}: ${declared}`);
    if (value !== undefined) this.#variables[name] = value;
    return `$${name}`;
  }

  literal(type: GraphQLInputType): string {
    const nullable = getNullableType(type);
    if (type === nullable && this.chance(8)) return 'null';
    if (isListType(nullable)) {
      const items = Array.from({ length: this.pick([0, 1, 2, 3]) }, () => this.value(nullable.ofType));
      return `[${items.join(', ')}]`;
    }
    if (isInputObjectType(nullable)) {
      const fields = Object.values(nullable.getFields()).filter(
        (field) => isRequiredInputField(field) || this.chance(35),
      );
      return `{${fields.map((field) => `${field.name}: ${this.input(field)}`).join(', ')}}`;
    }
    return toLiteral(this.json(nullable), nullable);
  }

  json(type: GraphQLInputType): unknown {
    const nullable = getNullableType(type);
    if (isListType(nullable)) {
      return Array.from({ length: this.pick([0, 1, 2, 3]) }, () => this.json(nullable.ofType));
    }
    if (isInputObjectType(nullable)) {
      const fields = Object.values(nullable.getFields()).filter(
        (field) => isRequiredInputField(field) || this.chance(35),
      );
      return Object.fromEntries(fields.map((field) => [field.name, this.json(field.type)]));
    }
    if (isEnumType(nullable)) return this.pick(nullable.getValues()).name;
    return this.pick(this.scalars[nullable.name] ?? ['?']);
  }
}

function toLiteral(value: unknown, type: GraphQLInputType | null): string {
  const nullable = type && getNullableType(type);
  if (Array.isArray(value)) {
    const itemType = isListType(nullable) ? nullable.ofType : null;
    return `[${value.map((item) => toLiteral(item, itemType)).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const fields = isInputObjectType(nullable) ? nullable.getFields() : {};
    const parts = Object.entries(value).map(
      ([name, inner]) => `${name}: ${toLiteral(inner, fields[name]?.type ?? null)}`,
    );
    return `{${parts.join(', ')}}`;
  }
  return isEnumType(nullable) ? String(value) : JSON.stringify(value);
}

// Fields that are null for an end user, or because of an error, and for no other reason: `@semanticNonNull` in the schema for
// clients (https://specs.apollo.dev/nullability). In the API they are nullable: a failure takes the field, not its parent.
import { type DirectiveDefinitionNode, type FieldDefinitionNode, Kind, parse } from 'graphql';

const GROUP =
  'ancestors children createdAt effectiveMemberCount effectiveMembers explainMembership memberCount members ' +
  'nestedGroupCount nestedGroups parentGroups updatedAt version';

const FIELDS: Record<string, string> = {
  ChangeEffects: 'affectedGroups',
  Group: `${GROUP} hasEffectiveMember history tenant`,
  GroupSnapshot: GROUP,
  LostMembership: 'by position',
  MembershipStep: 'addedBy since',
  Query: 'groups previewChanges tenants',
  Tenant: 'asOf changes deletedGroups groups partner position users',
  TenantSnapshot: 'groups users',
  User: 'effectiveGroups groups history tenant',
  UserSnapshot: 'effectiveGroups groups',
};

/** `Type.field` of each. Of connections it is `totalCount`. */
export const SEMANTIC_NON_NULL: ReadonlySet<string> = new Set(
  Object.entries(FIELDS).flatMap(([type, fields]) => fields.split(' ').map((field) => `${type}.${field}`)),
);

const isSemanticNonNull = (type: string, field: string): boolean =>
  SEMANTIC_NON_NULL.has(`${type}.${field}`) || (field === 'totalCount' && type.endsWith('Connection'));

const [definition] = parse(
  `"""
  Null only where an error says why; for an end user also without one.
  """
  directive @semanticNonNull(
    """Levels of the type, from the outermost, that are never null otherwise."""
    levels: [Int] = [0]
  ) on FIELD_DEFINITION`,
  { noLocation: true },
).definitions;
export const SEMANTIC_NON_NULL_DEFINITION = definition as DirectiveDefinitionNode;

/** The field with the directive, if it is one of them. */
export const withSemanticNonNull = (type: string, field: FieldDefinitionNode): FieldDefinitionNode =>
  isSemanticNonNull(type, field.name.value)
    ? {
        ...field,
        directives: [
          ...(field.directives ?? []),
          { kind: Kind.DIRECTIVE, name: { kind: Kind.NAME, value: 'semanticNonNull' } },
        ],
      }
    : field;

/** The field as a type says it to a client that takes an answer with errors for none: non-null in place of the directive. */
export function withoutSemanticNull(field: FieldDefinitionNode): FieldDefinitionNode {
  const others = field.directives?.filter(({ name }) => name.value !== 'semanticNonNull') ?? [];
  if (others.length === (field.directives?.length ?? 0)) return field;
  const type =
    field.type.kind === Kind.NON_NULL_TYPE
      ? field.type
      : ({ kind: Kind.NON_NULL_TYPE, type: field.type } as const);
  return { ...field, directives: others, type };
}

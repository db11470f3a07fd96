// The Access Evaluation API of OpenID AuthZEN's Authorization API 1.0: may this user act as a member of that group?
// https://openid.net/specs/authorization-api-1_0.html
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { createMiddleware } from 'hono/factory';
import { HTTPException } from 'hono/http-exception';
import type { Directory } from '../domain/directory.ts';
import { hasEffectiveMember } from '../domain/queries/effective-members.ts';
import { MAX_IDS_PER_CALL } from '../model/groups.ts';
import type { RestEnv } from './context.ts';
import { evaluationRefusals, metadataRefusals } from './errors.ts';
import { BODIES } from './examples.ts';
import { json, jsonBody, jsonRequest } from './json.ts';
import { type ValidationError, validationErrors, wording } from './validation-errors.ts';

const EVALUATION = '/access/v1/evaluation';
const EVALUATIONS = '/access/v1/evaluations';
const tags = ['Access evaluation'];

const Attributes = z.record(z.string(), z.unknown()).openapi('AccessAttributes', {
  description: 'Further attributes. They are ignored.',
});
const attributes = Attributes.optional();

/** A subject or a resource. `type` and `id` may be any text: what is not known here is denied. */
const entity = (name: string, description: string) =>
  z.object({ type: z.string(), id: z.string(), properties: attributes }).openapi(name, { description });

const Subject = entity('AccessSubject', 'Who acts. Users have the type `user`.');
const Resource = entity('AccessResource', 'What is acted on. Groups have the type `group`.');
const Action = z
  .object({ name: z.string(), properties: attributes })
  .openapi('AccessAction', { description: 'What is done. Only `member` is ever permitted.' });

const Evaluation = z
  .object({ subject: Subject, action: Action, resource: Resource, context: attributes })
  .openapi('AccessEvaluation', { description: 'Whether a subject may do something with a resource.' });

/** A part of an evaluation, of any value: an invalid one fails the evaluations that it is part of alone (section 7.2.1). */
const part = (schema: string) =>
  z
    .unknown()
    .optional()
    .openapi({ $ref: `#/components/schemas/${schema}` } as object);
const parts = {
  subject: part('AccessSubject'),
  action: part('AccessAction'),
  resource: part('AccessResource'),
  context: part('AccessAttributes'),
};

/** The decision that ends a batch, by its semantic (section 7.1.2.1). */
const LAST_DECISION = { execute_all: null, deny_on_first_deny: false, permit_on_first_permit: true } as const;
const SEMANTICS = Object.keys(LAST_DECISION) as (keyof typeof LAST_DECISION)[];

const Evaluations = z
  .object({
    ...parts,
    evaluations: z
      .array(z.object(parts))
      .max(MAX_IDS_PER_CALL, `Input should have at most ${MAX_IDS_PER_CALL} items`)
      .optional()
      .openapi({
        description: 'Each replaces the defaults that it names, whole. Without any, one evaluation.',
      }),
    options: z.object({ evaluations_semantic: z.enum(SEMANTICS).optional() }).optional(),
  })
  .openapi('AccessEvaluations', { description: 'Evaluations, and what they share by default.' });

const Decision = z
  .object({
    decision: z.boolean(),
    context: z
      .object({ error: z.object({ status: z.int(), message: z.string() }) })
      .optional()
      .openapi({ description: 'Why it could not be evaluated; only in a batch.' }),
  })
  .openapi('AccessDecision', { description: 'Whether it is permitted.' });
const Decisions = z
  .object({ evaluations: z.array(Decision) })
  .openapi('AccessDecisions', { description: 'Decisions in the order of the evaluations.' });

const Metadata = z
  .object({
    policy_decision_point: z.url(),
    access_evaluation_endpoint: z.url(),
    access_evaluations_endpoint: z.url(),
  })
  .openapi('AccessMetadata', { description: 'Where access is evaluated.' });

/** Answers 400 with one message, as the standard asks (section 10.1.2), where other operations list errors with 422. */
export const badRequests = createMiddleware<RestEnv>(async (c, next) => {
  await next();
  if (c.res.status !== 422) return;
  const { detail } = (await c.res.json()) as { detail: ValidationError[] };
  c.res = c.json({ detail: messageOf(detail) }, 400);
});

/** Errors in one message: enough to mend a request, however many items it has. */
const MAX_ERRORS = 10;
const messageOf = (errors: readonly ValidationError[]): string =>
  errors
    .slice(0, MAX_ERRORS)
    .map(({ loc, msg }) => [loc.slice(1).join('.'), msg].filter(Boolean).join(': '))
    .join('; ');

/** Parses an evaluation, or returns the message of its errors. */
function parseEvaluation(value: unknown): z.infer<typeof Evaluation> | string {
  const { data, error } = Evaluation.safeParse(value, { error: wording });
  return data ?? messageOf(validationErrors('body', error!.issues, value));
}

/** Whether a user is an effective member of a group. Anything else, and what the caller may not see, is denied alike. */
async function decide(
  directory: Directory,
  { subject, action, resource }: z.infer<typeof Evaluation>,
): Promise<z.infer<typeof Decision>> {
  const isKnown = subject.type === 'user' && action.name === 'member' && resource.type === 'group';
  return { decision: isKnown && (await hasEffectiveMember(directory, resource.id, subject.id)) };
}

export function accessEvaluation(api: OpenAPIHono<RestEnv>): void {
  api.openapi(
    createRoute({
      method: 'post',
      path: EVALUATION,
      operationId: 'evaluateAccess',
      summary: 'Evaluate Access',
      description: 'Decide whether a user is an effective member of a group (AuthZEN, Access Evaluation).',
      tags,
      middleware: [jsonBody] as const,
      request: { body: jsonRequest(Evaluation, BODIES.evaluateAccess) },
      responses: { 200: json('The decision.', Decision), ...evaluationRefusals },
    }),
    async (c) => c.json(await decide(c.var.directory, c.req.valid('json')), 200),
  );

  api.openapi(
    createRoute({
      method: 'post',
      path: EVALUATIONS,
      operationId: 'evaluateAccesses',
      summary: 'Evaluate Accesses',
      description: 'Decide about up to 1,000 evaluations at once (AuthZEN, Access Evaluations).',
      tags,
      middleware: [jsonBody] as const,
      request: { body: jsonRequest(Evaluations, BODIES.evaluateAccesses) },
      responses: { 200: json('The decisions.', Decisions.or(Decision)), ...evaluationRefusals },
    }),
    async (c) => {
      const { directory } = c.var;
      const { evaluations = [], options, ...defaults } = c.req.valid('json');
      if (evaluations.length === 0) {
        const evaluation = parseEvaluation(defaults);
        if (typeof evaluation === 'string') throw new HTTPException(400, { message: evaluation });
        return c.json(await decide(directory, evaluation), 200);
      }
      // All at once, also where the first ones decide: one statement reads them all.
      const decisions = await Promise.all(
        evaluations.map(async (item) => {
          const evaluation = parseEvaluation({ ...defaults, ...item });
          return typeof evaluation === 'string'
            ? { decision: false, context: { error: { status: 400, message: evaluation } } }
            : decide(directory, evaluation);
        }),
      );
      const last = LAST_DECISION[options?.evaluations_semantic ?? 'execute_all'];
      const end = decisions.findIndex(({ decision }) => decision === last);
      return c.json({ evaluations: end < 0 ? decisions : decisions.slice(0, end + 1) }, 200);
    },
  );

  api.openapi(
    createRoute({
      method: 'get',
      path: '/.well-known/authzen-configuration',
      operationId: 'getAccessMetadata',
      summary: 'Get Access Metadata',
      description: 'Where access is evaluated (AuthZEN, Policy Decision Point Metadata). It needs no token.',
      tags,
      security: [],
      responses: { 200: json('The metadata.', Metadata), ...metadataRefusals },
    }),
    async (c) => {
      const { publicUrl } = c.env;
      if (publicUrl === null) throw new HTTPException(404, { message: 'Not Found: PUBLIC_URL is not set' });
      const metadata = {
        policy_decision_point: publicUrl,
        access_evaluation_endpoint: `${publicUrl}${EVALUATION}`,
        access_evaluations_endpoint: `${publicUrl}${EVALUATIONS}`,
      };
      return c.json(metadata, 200, { 'cache-control': 'public, max-age=3600' });
    },
  );
}

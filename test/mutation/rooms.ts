// The rooms whose tests are measured: what each holds, which tests have to do with it, and the score that it keeps.

/** `score` is the share of faults, in percent, that the tests must notice. Paths may hold `*`. */
export type Room = { name: string; score: number; source: string[]; tests: string[] };

/** Tests of the domain by way of all entrances, quick enough to be run for any room of it. */
const DOMAIN_TESTS = ['test/domain/*', 'test/cases.test.ts', 'test/graphql/resolvers.test.ts'];

export const ROOMS: Room[] = [
  {
    name: 'access',
    score: 90,
    source: ['src/domain/directory.ts', 'src/domain/queries/visible-groups.ts', 'src/model/caller.ts'],
    tests: [
      'test/graphql/{access,access-matrix}.test.ts',
      'test/rest/access.test.ts',
      'test/domain/*',
      'test/cases.test.ts',
    ],
  },
  {
    name: 'commands',
    score: 90,
    source: ['src/domain/{commands,log,writes}/*', 'src/domain/commands/rules/*'],
    tests: [...DOMAIN_TESTS, 'test/parity.test.ts', 'test/graphql/{access,access-matrix}.test.ts'],
  },
  {
    name: 'effective membership',
    score: 90,
    source: [
      'src/domain/effective-membership/*',
      'src/domain/sharing/tail.ts',
      'src/domain/queries/{effective-members,membership-explanations}.ts',
    ],
    tests: [
      'test/domain/effective-*.test.ts',
      'test/domain/{batching,count-deltas,counts,explanations,log-tail,past}.test.ts',
    ],
  },
  {
    name: 'loading',
    score: 90,
    source: [
      'src/domain/{loading,rows}/*',
      'src/domain/sharing/shared-batches.ts',
      'src/domain/queries/{deleted-groups,group-filters,group-lists,groups,hierarchy,member-nodes,members,moments,nesting,positions,tenants,user-groups,users}.ts',
      'src/domain/queries/{change-feed,changes}.ts',
      'src/domain/sharing/head-watch.ts',
      'src/model/{chunks,cursors,log-cursors,page,positions}.ts',
      'src/graphql/schema/connections.ts',
    ],
    tests: [
      ...DOMAIN_TESTS,
      'test/graphql/{limits,reads,snapshots,statements,subscriptions}.test.ts',
      'test/rest/{api,changes,groups}.test.ts',
      'test/{parity,positions}.test.ts',
    ],
  },
  {
    name: 'auth',
    score: 90,
    source: ['src/auth/*'],
    tests: ['test/auth/*', 'test/graphql/over-http.test.ts'],
  },
  {
    name: 'config',
    score: 90,
    source: ['src/config.ts'],
    tests: ['test/config.test.ts', 'test/auth/*', 'test/http/*'],
  },
  {
    name: 'limits',
    score: 90,
    source: [
      'src/graphql/server/{limits,operation-cost}.ts',
      'src/graphql/schema/complexity.ts',
      'src/http/body.ts',
      'src/model/{deadline,open-streams}.ts',
    ],
    tests: ['test/graphql/*', 'test/http/*', 'test/rest/errors.test.ts', 'test/outcome.test.ts'],
  },
  {
    name: 'import',
    score: 90,
    source: ['src/import/*'],
    tests: ['test/cli/*'],
  },
  {
    name: 'integrity',
    score: 90,
    source: ['src/domain/integrity/*'],
    tests: ['test/cli/*', 'test/domain/{case-keys,check,counts,count-deltas,history,topology}*'],
  },
  {
    name: 'model',
    score: 80,
    source: [
      'src/model/{change-inputs,changes,errors,groups,ids,input,json,members,nesting,tenants,text,users}.ts',
    ],
    tests: [
      'test/exact-input.test.ts',
      'test/rest/errors.test.ts',
      'test/parity.test.ts',
      'test/model/*',
      'test/domain/*',
      'test/graphql/resolvers.test.ts',
    ],
  },
  {
    name: 'database',
    score: 80,
    source: ['src/database/*'],
    tests: ['test/database/*', 'test/domain/*', 'test/outcome*.test.ts'],
  },
  {
    name: 'graphql',
    score: 80,
    source: [
      'src/graphql/schema/{as-of,builder,change-effects,change-previews,context,deletion,enums,error-types,explanations,federation,federation-entities,global-ids,group-inputs}.ts',
      'src/graphql/schema/{change-lists,change-parts,change-subscription,changes,deleted-groups,tenant-mutations}.ts',
      'src/graphql/schema/{group-snapshots,groups,hierarchy,json-object,member-mutations,members,nesting,node,position,print}.ts',
      'src/graphql/schema/{schema,semantic-non-null,snapshots,tenants,user-snapshots,users,viewer}.ts',
      'src/graphql/server/{compiled-query,errors,examples,exact-variables,execute,fast-path,graphiql,handler,operation-cache,persisted-operations,positions,shared-documents,subscriptions,trusted-documents}.ts',
    ],
    tests: [
      'test/schema.test.ts',
      'test/graphql/*',
      'test/federation/{entities,composition}.test.ts',
      'test/parity.test.ts',
    ],
  },
  {
    name: 'rest',
    score: 80,
    source: ['src/rest/*'],
    tests: [
      'test/rest/{access,access-evaluation,changes,errors,groups,openapi,api}.test.ts',
      'test/parity.test.ts',
    ],
  },
  {
    name: 'http',
    score: 80,
    source: [
      'src/http/{compression,cors,logger,metrics,plain,problem,request-id,router,server,stream,target}.ts',
      'src/app.ts',
      'src/model/{bearer-challenge,cache-use,logged-error,plain-request,request-log}.ts',
    ],
    tests: [
      'test/http/*',
      'test/graphql/{over-http,limits,fast-path}.test.ts',
      'test/rest/{access-evaluation,errors,groups}.test.ts',
    ],
  },
];

/** Source files in no room, and why. */
export const NOT_MEASURED: { source: string[]; reason: string }[] = [
  {
    source: ['src/main.ts', 'src/cli/*', 'src/demo/*'],
    reason: 'Tests start them as processes of their own, where no fault can be switched on.',
  },
];

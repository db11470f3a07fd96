// Subscription.changes: the change feed of a tenant.
import { type Feed, openFeed } from '../../domain/queries/change-feed.ts';
import type { ChangeRow } from '../../domain/rows/changes.ts';
import { builder } from './builder.ts';
import { Change, ChangeType } from './change-parts.ts';
import { changeProjection } from './connections.ts';

builder.subscriptionType({
  description: 'Streams of events, as server-sent events (`Accept: text/event-stream`).',
});

builder.subscriptionField('changes', (t) =>
  t.field({
    description:
      'The changes of a tenant as they happen, in the order of its log. A stream ends with an error when your token expires.',
    type: Change,
    nullable: false,
    args: {
      tenantId: t.arg.id({ required: true, description: 'Id of the tenant.' }),
      after: t.arg.string({
        description:
          'The cursor of the last change that you have, or a position: the stream begins behind it. The default is now.',
      }),
      types: t.arg({ type: [ChangeType], description: 'Only changes of these types.' }),
    },
    subscribe: async (_root, args, { directory }, info) =>
      endingWithError(await openFeed(directory, { ...args, projection: changeProjection(info, []) })),
    resolve: (event) => {
      if (event instanceof Error) throw event;
      return event;
    },
  }),
);

/** The feed, with its error as the last event: an iterator that throws would break the connection off without a word. */
function endingWithError(feed: Feed): AsyncIterableIterator<ChangeRow | Error> {
  return {
    // After an error the feed has ended.
    next: () => feed.next().catch((error: Error) => ({ done: false as const, value: error })),
    return: () => feed.return(),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

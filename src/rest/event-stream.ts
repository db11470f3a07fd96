// Server-sent events: the body of a stream, with comments while nothing happens (WHATWG HTML, section 9.2).

export type ServerSentEvent = { id?: string; event: string; data: object };

/** Milliseconds between comments: shorter than the time after which proxies close a silent connection. */
const HEARTBEAT = 12_000;

/**
 * The events as bytes, read only as fast as they are taken. An error becomes the last event, by `toFault`. `onEnd` is called
 * when the stream has ended or was cancelled.
 */
export function eventStream(
  events: AsyncIterator<ServerSentEvent>,
  { toFault, onEnd }: { toFault(error: unknown): ServerSentEvent; onEnd(): void },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: ReturnType<typeof events.next> | null = null;
  return new ReadableStream(
    {
      start(controller) {
        // Some clients wait for a first byte.
        controller.enqueue(encoder.encode(':\n\n'));
      },
      async pull(controller) {
        try {
          next ??= events.next();
          const item = await orHeartbeat(next);
          if (item === null) return controller.enqueue(encoder.encode(':\n\n'));
          next = null;
          if (!item.done) return controller.enqueue(encoder.encode(print(item.value)));
        } catch (error) {
          controller.enqueue(encoder.encode(print(toFault(error))));
        }
        onEnd();
        controller.close();
      },
      async cancel() {
        onEnd();
        await events.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** The event; null if it does not come before the next heartbeat. */
async function orHeartbeat<Item>(next: Promise<Item>): Promise<Item | null> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), HEARTBEAT);
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
  }
}

const print = ({ id, event, data }: ServerSentEvent): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

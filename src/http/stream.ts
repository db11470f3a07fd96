// Streams of events: sent as fast as their receivers take them; a receiver that takes nothing is dropped.
import type { ServerResponse } from 'node:http';

export const isEventStream = (headers: { get(name: string): string | null }): boolean =>
  headers.get('content-type')?.startsWith('text/event-stream') ?? false;

/** Sends the stream. It is cancelled when the connection closes, and the connection closed if it takes nothing for so long. */
export async function sendStream(response: ServerResponse, answer: Response, drainMs: number): Promise<void> {
  const reader = answer.body!.getReader();
  const cancel = () => {
    reader.cancel().catch(() => {});
  };
  if (response.destroyed) return cancel();
  response.once('close', cancel);
  // Set one by one, so that a stop of the server sees that this is a stream.
  response.statusCode = answer.status;
  response.setHeaders(answer.headers);
  response.flushHeaders();
  for (;;) {
    const { done, value } = await reader.read();
    if (done || response.writableEnded || response.destroyed) break;
    if (!response.write(value) && !(await hasDrained(response, drainMs))) response.destroy();
  }
  if (!response.writableEnded) response.end();
}

/** Whether the response has taken what was written, in time; true for a closed connection, too. */
async function hasDrained(response: ServerResponse, milliseconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (drained: boolean) => {
      clearTimeout(timer);
      response.off('drain', onDrain);
      response.off('close', onDrain);
      resolve(drained);
    };
    const onDrain = () => end(true);
    const timer = setTimeout(() => end(false), milliseconds);
    response.once('drain', onDrain);
    response.once('close', onDrain);
  });
}

/** The stream, with a call of `onEnd` once it has ended or was cancelled. Reads no more than is asked for. */
export function withEnd(body: ReadableStream, onEnd: (error?: unknown) => void): ReadableStream {
  const reader = body.getReader();
  let hasEnded = false;
  // A stream that is cancelled while it is read ends in both ways.
  const end = (error?: unknown) => {
    if (!hasEnded) onEnd(error);
    hasEnded = true;
  };
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          end();
          controller.close();
        } catch (error) {
          end(error);
          controller.error(error);
        }
      },
      async cancel(reason) {
        await reader.cancel(reason);
        end();
      },
    },
    { highWaterMark: 0 },
  );
}

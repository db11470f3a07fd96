// Reads server-sent events as they come, so that a test sees what is sent, and when.

export type ServerSentEvent = { event: string; data: string; id: string | null };

/** The events of a response, without comments. It ends with the response; a broken connection throws. */
export async function* eventsOf(response: Response): AsyncGenerator<ServerSentEvent> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim());
      const [event] = field('event');
      if (event !== undefined || field('data').length > 0)
        yield { event: event ?? 'message', data: field('data').join('\n'), id: field('id')[0] ?? null };
    }
  }
}

/** The first items of an iterator, which goes on. */
export async function take<Item>(iterator: AsyncIterator<Item>, count: number): Promise<Item[]> {
  const items: Item[] = [];
  while (items.length < count) {
    const { done, value } = await iterator.next();
    if (done) throw new Error(`ended after ${items.length} of ${count}: ${JSON.stringify(items)}`);
    items.push(value);
  }
  return items;
}

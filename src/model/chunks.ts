// Splits lists by the total size of their items, so that no statement or transaction gets large.

/** The items in order, in chunks of at most `limit` in total size, or of one larger item. */
export function chunksOf<Item>(
  items: readonly Item[],
  sizeOf: (item: Item) => number,
  limit: number,
): Item[][] {
  const chunks: Item[][] = [];
  let capacity = -1;
  for (const item of items) {
    capacity -= sizeOf(item);
    if (capacity < 0) {
      capacity = limit - sizeOf(item);
      chunks.push([]);
    }
    chunks.at(-1)!.push(item);
  }
  return chunks;
}

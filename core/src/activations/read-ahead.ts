/**
 * Yield `read(item)` for each item, in order, reading the next one while the consumer works on the last.
 *
 * One result at most waits. A failure is thrown where its result would have come; nothing is read after it, and nothing
 * is being read any more once the iterator has ended, early or not.
 */
export async function* readAhead<Item, Result>(
  items: Iterable<Item>,
  read: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const remaining = items[Symbol.iterator]();
  const begin = () => {
    const { done, value } = remaining.next();
    return done ? undefined : read(value);
  };
  let waiting = begin();
  try {
    while (waiting !== undefined) {
      const result = await waiting;
      waiting = begin();
      // Taken up by the `await` of the next round, or dropped below; meanwhile it must not count as unhandled.
      waiting?.catch(() => {});
      yield result;
    }
  } finally {
    await waiting?.catch(() => {});
  }
}

/**
 * Apply `work` to every batch and yield the results in order, at most `ahead` batches at a time in flight.
 *
 * While the consumer handles one result the next batches are already read and worked on. The first failure, of reading or of
 * work, is thrown where its result would have come.
 */
export async function* mapBatches<Batch, Result>(
  batches: AsyncIterable<Batch>,
  work: (batch: Batch) => Promise<Result>,
  { ahead = 2 }: { readonly ahead?: number } = {},
): AsyncGenerator<Result> {
  const inFlight: Promise<Result>[] = [];
  try {
    for await (const batch of batches) {
      inFlight.push(work(batch));
      if (inFlight.length === ahead) yield await (inFlight.shift() as Promise<Result>);
    }
    while (inFlight.length > 0) yield await (inFlight.shift() as Promise<Result>);
  } finally {
    // A consumer that stops early, or an earlier failure, leaves these unread; they must not count as unhandled.
    for (const promise of inFlight) promise.catch(() => {});
  }
}

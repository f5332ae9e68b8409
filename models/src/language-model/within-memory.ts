import { DataError } from "@saestitch/core";
import type { TokenBatch } from "../tokens/token-batch.ts";

/** Run the model, or say which batch it had no memory for: the runtime's own message names a size and no remedy. */
export async function withinMemory<Result>(
  { rows, length }: Pick<TokenBatch, "rows" | "length">,
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!/bad[ _]?alloc|failed to allocate|out of memory|allocation failed|not enough memory/i.test(message))
      throw cause;
    throw new DataError(
      `Memory ran out for a batch of ${rows} rows of ${length} tokens (${message}); take fewer tokens at once: --batch-tokens ${Math.max(length, Math.floor((rows * length) / 2))}` +
        `${rows === 1 ? ", or a shorter --context" : ""}`,
      { cause },
    );
  }
}

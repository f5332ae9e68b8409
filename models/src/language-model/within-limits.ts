import { DataError } from "@saestitch/core";
import type { TokenBatch } from "../tokens/token-batch.ts";

const outOfMemory =
  /bad[ _]?alloc|failed to allocate|out of memory|allocation failed|not enough memory|array length/i;
const outOfTable = /out of (?:data )?bounds|cos_cache dimension/i;

/**
 * Run the model on a batch. Where memory runs out, or the batch goes beyond a table of the model, rejects with {@link DataError} that says which
 * batch it was and what to do: the runtime's own message names a size and no remedy.
 */
export async function withinLimits<Result>(
  { rows, length }: Pick<TokenBatch, "rows" | "length">,
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const batch = `a batch of ${rows} × ${length} tokens`;
    if (outOfMemory.test(message)) {
      const bytes = /requested buffer of size (\d+)/.exec(message)?.[1];
      const wanted =
        bytes === undefined ? message : `${Math.ceil(Number(bytes) / 2 ** 20)} MiB more were needed at once`;
      const remedy =
        rows === 1
          ? `a shorter context: --context ${Math.ceil(length / 2)}`
          : `fewer tokens at once: --batch-tokens ${Math.max(length, Math.floor((rows * length) / 2))}`;
      throw new DataError(`Memory ran out for ${batch} (${wanted}); take ${remedy}`, { cause });
    }
    if (outOfTable.test(message))
      throw new DataError(
        `The model cannot read ${batch}: it has fewer positions, so give a shorter --context, or knows fewer tokens than the tokenizer (${message})`,
        { cause },
      );
    throw cause;
  }
}

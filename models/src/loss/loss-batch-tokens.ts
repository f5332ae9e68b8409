/** What a batch has where logits do not limit it. */
const MOST_TOKENS = 1024;

/**
 * How many tokens a batch may have, padding included, so that one matrix of logits [tokens × vocabulary] in float32 takes at most
 * `budgetBytes`: from 1 to 1024, which is also what it is where the vocabulary is not known.
 *
 * A run holds some three to five such matrices at once: the logits, their logarithmic softmax, and that of the unchanged model, which is
 * kept for the divergence. By default the limit begins to count above 65 536 tokens; Gemma's 256 000 leave 262. A single window
 * longer than this is still read, as a batch of its own.
 */
export function lossBatchTokens(vocabulary: number | undefined, budgetBytes = 256 * 2 ** 20): number {
  if (vocabulary === undefined) return MOST_TOKENS;
  const affordable = Math.floor(budgetBytes / (vocabulary * Float32Array.BYTES_PER_ELEMENT));
  return Math.max(1, Math.min(MOST_TOKENS, affordable));
}

/**
 * Reject as many of the hypotheses as a false discovery rate of `rate` allows (1 = rejected), by the step-up procedure.
 *
 * Among the rejected the expected share of true nulls is at most `rate` for independent or positively dependent tests. NaN
 * p-values stand for hypotheses that were not tested: never rejected, and not counted. Benjamini & Hochberg (1995).
 */
export function benjaminiHochberg(pValues: Float64Array, rate: number): Uint8Array {
  const tested = pValues.filter((p) => !Number.isNaN(p)).sort();
  let limit = Number.NEGATIVE_INFINITY;
  for (let rank = tested.length; rank >= 1; rank--) {
    if (tested[rank - 1] <= (rank / tested.length) * rate) {
      limit = tested[rank - 1];
      break;
    }
  }
  return Uint8Array.from(pValues, (p) => (p <= limit ? 1 : 0));
}

/** A number measured on a sample of documents. */
export interface Estimate {
  readonly value: number;
  /** Null with fewer than two documents. */
  readonly standardError: number | null;
}

/**
 * Σ numerators / Σ denominators, one pair per document; null where that is no finite number.
 *
 * With R the ratio, D the number of documents and e = numerator − R · denominator of each, the standard error is
 * √(D / (D − 1) · Σ e²) / |Σ denominators|: documents are drawn independently, what lies within one is not. Linearised, so it
 * takes many documents to be right. Cochran, Sampling Techniques (1977), §6.
 */
export function ratioOfSums(numerators: Float64Array, denominators: Float64Array): Estimate | null {
  const documents = numerators.length;
  const total = sum(denominators);
  // No negative zero, which would be shown with its sign.
  const value = 0 + sum(numerators) / total;
  if (!Number.isFinite(value)) return null;
  if (documents < 2) return { value, standardError: null };
  let squares = 0;
  for (let i = 0; i < documents; i++) squares += (numerators[i] - value * denominators[i]) ** 2;
  const standardError = Math.sqrt((squares * documents) / (documents - 1)) / Math.abs(total);
  return { value, standardError: Number.isFinite(standardError) ? standardError : null };
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

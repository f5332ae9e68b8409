/** Smallest share of a diagonal element that may be left of it: below it, float32 data cannot tell the column from the others. */
const LEAST_PIVOT = 1e-10;

/**
 * Solve A x = b for a symmetric positive definite A [t × t] by Cholesky's factors, in float64; only the lower triangle of `a` is read.
 * Undefined when A is singular as far as float32 data can tell.
 */
export function solvePositiveDefinite(
  a: readonly (readonly number[])[],
  b: readonly number[],
): number[] | undefined {
  const factor: number[][] = [];
  const solution: number[] = [];
  for (let i = 0; i < b.length; i++) {
    const line: number[] = [];
    let pivot = a[i][i];
    let value = b[i];
    for (let j = 0; j < i; j++) {
      let element = a[i][j];
      for (let k = 0; k < j; k++) element -= line[k] * factor[j][k];
      line[j] = element / factor[j][j];
      pivot -= line[j] * line[j];
      value -= line[j] * solution[j];
    }
    if (!(pivot > LEAST_PIVOT * a[i][i])) return undefined;
    line[i] = Math.sqrt(pivot);
    factor.push(line);
    solution[i] = value / line[i];
  }
  for (let i = b.length - 1; i >= 0; i--) {
    for (let k = i + 1; k < b.length; k++) solution[i] -= factor[k][i] * solution[k];
    solution[i] /= factor[i][i];
  }
  return solution;
}

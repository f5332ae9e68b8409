const SQRT_TWO_PI = Math.sqrt(2 * Math.PI);
const LOG_SQRT_TWO_PI = Math.log(SQRT_TWO_PI);
/** Above this the tail comes from the continued fraction, which then needs far fewer than {@link FRACTION_TERMS} terms. */
const SERIES_LIMIT = 2.5;
const FRACTION_TERMS = 80;

/**
 * Two-sided p-value of a standard normal: P(|Z| ≥ |z|).
 *
 * Relative error below 1e-12 as far down as 1e-300 (|z| ≈ 37). NaN in, NaN out.
 */
export function normalTail(z: number): number {
  const x = Math.abs(z);
  if (x < SERIES_LIMIT) return 1 - centralMass(x);
  if (x === Number.POSITIVE_INFINITY) return 0;
  return 2 * density(x) * millsByFraction(x);
}

/**
 * The number below which a standard normal falls with probability `p`.
 *
 * Absolute error below 1e-13; ±Infinity at 1 and 0, NaN outside [0, 1].
 */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) return Number.NaN;
  if (p > 0.5) return -normalQuantile(1 - p);
  if (p === 0) return Number.NEGATIVE_INFINITY;
  // Newton's method on the logarithm of the tail. That function is concave, and the start, where the bound
  // P(Z ≥ x) ≤ exp(-x²/2) / 2 is tight, lies beyond the root: every step then moves towards it without overshooting.
  const target = Math.log(p);
  let x = Math.sqrt(Math.max(0, -2 * (target + Math.LN2)));
  for (let step = 0; step < 50; step++) {
    const mills = x < SERIES_LIMIT ? (1 - centralMass(x)) / (2 * density(x)) : millsByFraction(x);
    const logTail = Math.log(mills) - 0.5 * x * x - LOG_SQRT_TWO_PI;
    const change = (logTail - target) * mills;
    x += change;
    if (Math.abs(change) <= 1e-15 * Math.max(1, x)) break;
  }
  return -x;
}

function density(x: number): number {
  return Math.exp(-0.5 * x * x) / SQRT_TWO_PI;
}

/** P(|Z| < x), by the series φ(x) · 2 · (x + x³/3 + x⁵/(3·5) + …), all of whose terms are positive. */
function centralMass(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 3; term > sum * 1e-17; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 2 * density(x) * sum;
}

/** P(Z ≥ x) / φ(x) by Laplace's continued fraction 1/(x + 1/(x + 2/(x + 3/(x + …)))). */
function millsByFraction(x: number): number {
  let denominator = x;
  for (let k = FRACTION_TERMS; k >= 1; k--) denominator = x + k / denominator;
  return 1 / denominator;
}

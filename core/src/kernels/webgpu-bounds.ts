/**
 * How far, as a share of |x| · |w|, the screen's product of a row x with a latent w of `columns` values may be from the
 * canonical one; what else may go wrong by rounding is within it too.
 *
 * A sum of d products in any order, fused or not, is off by at most d·u/(1 − d·u) times Σ|xₖ wₖ| ≤ |x| · |w|, with u the relative error
 * of one operation: 2^-24 on the host, 2^-23 on the device, since WGSL lets it round either way. Together less than
 * 3.5 d · 2^-24 for d ≤ {@link MOST_COLUMNS}. The pre-activation on the host, value, reach and both bounds on the device are rounded once more each, which takes
 * less than 16 · 2^-24 of |x| · |w| and 5 · 2^-24 of |bias| ({@link biasError} has 8). Where the device takes subnormal numbers for zero, every one
 * of at most 2 d + 8 operations may lose 2^-126; lengths that are not zero are at least 2^-40 each, so this is less than (2 d + 8) · 2^-46 of |x| · |w|.
 * The sum of it all is below (3.6 d + 64) · 2^-24. A zero row or latent has no error at all: all of its products are exact zeros.
 */
export function productError(columns: number): number {
  return 4 * (columns + 64) * 2 ** -24;
}

/** The most values of a row that {@link productError} holds for. */
export const MOST_COLUMNS = 2 ** 20;

/** Above all sums and floors; error of what the screen cannot judge and has to let in. */
const UNKNOWN = 2 ** 110;
/** Stands for a floor that nothing passes; below {@link UNKNOWN}, above all sums. */
const NEVER = 2 ** 100;
/** Floor of what is not there: nothing passes, unknown or not. */
export const ABSENT = 2 ** 120;

const LEAST_NORMAL = 2 ** -126;

/**
 * The least that the screen's upper bound of a pre-activation above `floor` can be: the next float32, finite and not subnormal.
 *
 * Pre-activations are float32, so what exceeds a floor is at least the next one. Raising that from a subnormal number to zero or to the least
 * normal one is within {@link productError}, unless row or latent is zero: and then the pre-activation is the bias, whose
 * error ({@link biasError}) is enough.
 */
export function screenFloor(floor: number): number {
  // NaN is above nothing.
  if (!(floor < NEVER)) return NEVER;
  if (floor < -NEVER) return -NEVER;
  const next = nextFloat32(floor);
  if (next <= -LEAST_NORMAL || next >= LEAST_NORMAL) return next;
  return next > 0 ? LEAST_NORMAL : 0;
}

/** A bias as the screen adds it. One that lets nothing pass is zero, and the floor of its latent {@link NEVER}. */
export function screenBias(bias: number): number {
  return Math.abs(bias) <= 2 ** 60 ? bias : 0;
}

/** How far a sum may be off for its bias; see {@link productError}. A bias that is too large to be added to products is unknown. */
export function biasError(bias: number): number {
  if (bias === 0) return 0;
  const size = Math.abs(bias);
  return size <= 2 ** 60 ? Math.max(size * 2 ** -21, 2 ** -100) : UNKNOWN;
}

const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);

/** The next float32 above a finite float32. */
function nextFloat32(value: number): number {
  // + 0 makes zero of minus zero.
  float[0] = value + 0;
  bits[0] += float[0] >= 0 ? 1 : -1;
  return float[0];
}

import { DataError, ShapeError } from "../errors.ts";

/**
 * How well a score tells positives from negatives, at every cut. A case is called positive when its score is BELOW the cut.
 *
 * Point i calls positive the i lowest distinct scores; there is one point more than there are distinct scores.
 */
export interface RocCurve {
  /** The cut of each point: midway between neighbouring distinct scores; -Infinity for the first, Infinity for the last. */
  readonly thresholds: Float64Array;
  /** Share of the positives called positive; 0 to 1, never falling. */
  readonly truePositiveRates: Float64Array;
  /** Share of the negatives called positive; 0 to 1, never falling. */
  readonly falsePositiveRates: Float64Array;
  /** Probability that a positive scores lower than a negative, ties counted half (Mann–Whitney); ½ is chance. */
  readonly area: number;
}

/** One cut and how it does. */
export interface Cut {
  readonly threshold: number;
  readonly truePositiveRate: number;
  readonly falsePositiveRate: number;
}

/** The cases of both classes at each distinct score, in ascending order. */
export interface ScoreGroups {
  /** Strictly ascending. */
  readonly scores: Float64Array;
  readonly positives: Float64Array;
  readonly negatives: Float64Array;
  /** Group of each case, in the order given. */
  readonly groupOf: Int32Array;
}

/**
 * Sort the cases once and gather equal scores.
 *
 * `positives[i]` is non-zero where case i is positive. Throws {@link ShapeError} when the lengths differ and
 * {@link DataError} for a NaN score.
 */
export function groupScores(scores: ArrayLike<number>, positives: ArrayLike<number>): ScoreGroups {
  const count = scores.length;
  if (positives.length !== count)
    throw new ShapeError(
      `Cannot compare ${count} scores with ${positives.length} classes: one class per score`,
    );
  const ascending = Float64Array.from(scores).sort();
  if (Number.isNaN(ascending[count - 1]))
    throw new DataError("Cannot rank scores: one is NaN, every score must be a number");
  const distinct = ascending.filter((score, i) => i === 0 || score !== ascending[i - 1]);
  const groups = {
    scores: distinct,
    positives: new Float64Array(distinct.length),
    negatives: new Float64Array(distinct.length),
    groupOf: new Int32Array(count),
  };
  for (let i = 0; i < count; i++) {
    const group = lowerBound(distinct, scores[i]);
    groups.groupOf[i] = group;
    (positives[i] ? groups.positives : groups.negatives)[group]++;
  }
  return groups;
}

/**
 * The curve of cases with these scores, `positives[i]` non-zero where case i is positive. Time O(m log m).
 *
 * Null when there are no positives or no negatives. Throws as {@link groupScores} does.
 */
export function rocCurve(scores: ArrayLike<number>, positives: ArrayLike<number>): RocCurve | null {
  const groups = groupScores(scores, positives);
  const totalPositives = sum(groups.positives);
  const totalNegatives = sum(groups.negatives);
  if (totalPositives === 0 || totalNegatives === 0) return null;
  const points = groups.scores.length + 1;
  const thresholds = new Float64Array(points).fill(Number.NEGATIVE_INFINITY);
  const truePositiveRates = new Float64Array(points);
  const falsePositiveRates = new Float64Array(points);
  let positivesBelow = 0;
  let negativesBelow = 0;
  let area = 0;
  for (let i = 1; i < points; i++) {
    const negativesHere = groups.negatives[i - 1];
    area += negativesHere * (positivesBelow + groups.positives[i - 1] / 2);
    positivesBelow += groups.positives[i - 1];
    negativesBelow += negativesHere;
    thresholds[i] =
      i === points - 1 ? Number.POSITIVE_INFINITY : between(groups.scores[i - 1], groups.scores[i]);
    truePositiveRates[i] = positivesBelow / totalPositives;
    falsePositiveRates[i] = negativesBelow / totalNegatives;
  }
  return {
    thresholds,
    truePositiveRates,
    falsePositiveRates,
    area: area / (totalPositives * totalNegatives),
  };
}

/**
 * The finite cut that separates best: the greatest true minus false positive rate (Youden's J), the lowest of equals.
 *
 * Null when all scores are equal, so that there is no cut between two of them.
 */
export function bestThreshold(curve: RocCurve): Cut | null {
  let best = 1;
  for (let i = 1; i < curve.thresholds.length - 1; i++) if (youden(curve, i) > youden(curve, best)) best = i;
  return best < curve.thresholds.length - 1 ? cutOf(curve, best) : null;
}

/** How the cut at a given threshold, such as a published one, does on this curve's cases. */
export function cutAt(
  scores: ArrayLike<number>,
  positives: ArrayLike<number>,
  threshold: number,
): Cut | null {
  const called = [0, 0];
  const total = [0, 0];
  for (let i = 0; i < scores.length; i++) {
    const positive = positives[i] ? 1 : 0;
    total[positive]++;
    if (scores[i] < threshold) called[positive]++;
  }
  if (total[0] === 0 || total[1] === 0) return null;
  return {
    threshold,
    truePositiveRate: called[1] / total[1],
    falsePositiveRate: called[0] / total[0],
  };
}

/** A number above `lower` and at most `upper`, midway where floating point has room. */
export function between(lower: number, upper: number): number {
  const middle = lower + (upper - lower) / 2;
  return middle > lower ? middle : upper;
}

function cutOf(curve: RocCurve, i: number): Cut {
  return {
    threshold: curve.thresholds[i],
    truePositiveRate: curve.truePositiveRates[i],
    falsePositiveRate: curve.falsePositiveRates[i],
  };
}

function youden(curve: RocCurve, i: number): number {
  return curve.truePositiveRates[i] - curve.falsePositiveRates[i];
}

/** Position of the first element of `ascending` that is not below `value`. */
function lowerBound(ascending: Float64Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

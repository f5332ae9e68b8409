import type { Random } from "../linalg/random.ts";
import { between, groupScores, type ScoreGroups } from "./roc.ts";

/** The range that holds a quantity with the asked probability. */
export interface Interval {
  readonly lower: number;
  readonly upper: number;
}

/** How far the area under a ROC curve and its best threshold can be trusted. */
export interface RocIntervals {
  readonly area: Interval;
  /** Of the threshold with the greatest Youden's J; null when no replicate had two distinct scores. */
  readonly threshold: Interval | null;
  /** Replicates that held both classes; only these enter. */
  readonly replicates: number;
}

/**
 * Percentile bootstrap intervals of the area under the ROC curve and of the best threshold (see `rocCurve`, `bestThreshold`).
 *
 * Each replicate draws as many cases as there are, with replacement; time O(m) per replicate, since the cases are sorted
 * once and a replicate is only how often each was drawn. Null when there is one class only. Efron & Tibshirani (1993), ch. 13.
 */
export function bootstrapRoc(
  scores: ArrayLike<number>,
  positives: ArrayLike<number>,
  {
    replicates = 1000,
    random,
    level = 0.95,
  }: { readonly replicates?: number; readonly random: Random; readonly level?: number },
): RocIntervals | null {
  const groups = groupScores(scores, positives);
  if (!groups.positives.some((count) => count > 0) || !groups.negatives.some((count) => count > 0))
    return null;
  const areas: number[] = [];
  const thresholds: number[] = [];
  const drawn: ScoreGroups = {
    ...groups,
    positives: new Float64Array(groups.scores.length),
    negatives: new Float64Array(groups.scores.length),
  };
  for (let r = 0; r < replicates; r++) {
    drawn.positives.fill(0);
    drawn.negatives.fill(0);
    for (let i = 0; i < scores.length; i++) {
      const chosen = Math.floor(random() * scores.length);
      (positives[chosen] ? drawn.positives : drawn.negatives)[groups.groupOf[chosen]]++;
    }
    const measured = measure(drawn);
    if (measured === null) continue;
    areas.push(measured.area);
    if (measured.threshold !== null) thresholds.push(measured.threshold);
  }
  if (areas.length === 0) return null;
  return {
    area: percentileInterval(areas, level),
    threshold: thresholds.length === 0 ? null : percentileInterval(thresholds, level),
    replicates: areas.length,
  };
}

/** Area and best threshold in one sweep over the groups; groups without a case are not there for the replicate. */
function measure(drawn: ScoreGroups): { area: number; threshold: number | null } | null {
  let totalPositives = 0;
  let totalNegatives = 0;
  for (let g = 0; g < drawn.scores.length; g++) {
    totalPositives += drawn.positives[g];
    totalNegatives += drawn.negatives[g];
  }
  if (totalPositives === 0 || totalNegatives === 0) return null;
  let positivesBelow = 0;
  let negativesBelow = 0;
  let area = 0;
  let previous = Number.NaN;
  let threshold: number | null = null;
  let bestJ = Number.NEGATIVE_INFINITY;
  for (let g = 0; g < drawn.scores.length; g++) {
    const positivesHere = drawn.positives[g];
    const negativesHere = drawn.negatives[g];
    if (positivesHere + negativesHere === 0) continue;
    const j = positivesBelow / totalPositives - negativesBelow / totalNegatives;
    if (!Number.isNaN(previous) && j > bestJ) {
      bestJ = j;
      threshold = between(previous, drawn.scores[g]);
    }
    area += negativesHere * (positivesBelow + positivesHere / 2);
    positivesBelow += positivesHere;
    negativesBelow += negativesHere;
    previous = drawn.scores[g];
  }
  return { area: area / (totalPositives * totalNegatives), threshold };
}

function percentileInterval(values: readonly number[], level: number): Interval {
  const ascending = Float64Array.from(values).sort();
  return {
    lower: quantileOfSorted(ascending, (1 - level) / 2),
    upper: quantileOfSorted(ascending, (1 + level) / 2),
  };
}

/** Linear interpolation between order statistics. */
function quantileOfSorted(ascending: Float64Array, share: number): number {
  const position = share * (ascending.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, ascending.length - 1);
  return ascending[below] + (position - below) * (ascending[above] - ascending[below]);
}

import { ShapeError } from "../errors.ts";
import { mergeReconstructionSums, type ReconstructionSums } from "../metrics/reconstruction.ts";
import { type AgreementSums, mergeAgreementSums } from "./agreement-sums.ts";
import { type InsertionSums, mergeInsertionSums } from "./insertion-sums.ts";

/**
 * All that labelling measures on a stretch of a sample: a plain value, which can be stored, resumed from, and merged with the
 * value of the stretch that follows.
 */
export interface LabelSums {
  /** First row of the stretch, excluded ones counted. */
  readonly start: number;
  /** Row after the last. */
  readonly end: number;
  /** Rows left out because the source marks them: BOS, padding. */
  readonly excluded: number;
  /** Rows left out because they hold NaN or infinite values. */
  readonly nonFinite: number;
  /** Of the smaller SAE alone. */
  readonly smaller: ReconstructionSums;
  /** Of the larger SAE alone. */
  readonly larger: ReconstructionSums;
  readonly insertion: InsertionSums;
  readonly agreement: AgreementSums;
}

/** The sums over two stretches, `b` beginning where `a` ends. Throws {@link ShapeError} when it does not. */
export function mergeLabelSums(a: LabelSums, b: LabelSums): LabelSums {
  if (a.end !== b.start) {
    throw new ShapeError(
      `Cannot merge rows ${a.start}–${a.end} with rows ${b.start}–${b.end}: they must follow each other`,
    );
  }
  return {
    start: a.start,
    end: b.end,
    excluded: a.excluded + b.excluded,
    nonFinite: a.nonFinite + b.nonFinite,
    smaller: mergeReconstructionSums(a.smaller, b.smaller),
    larger: mergeReconstructionSums(a.larger, b.larger),
    insertion: mergeInsertionSums(a.insertion, b.insertion),
    agreement: mergeAgreementSums(a.agreement, b.agreement),
  };
}

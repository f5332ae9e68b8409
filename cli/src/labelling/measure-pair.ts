import {
  type ActivationSource,
  emptyLabelSums,
  type Gating,
  type Kernels,
  type LabelSums,
  measureInsertion,
  type Pair,
} from "@saestitch/core";
import type { Interruption } from "../interruption.ts";

/** Where sums are kept while they are measured. */
export interface CheckpointPlace {
  /** Seconds between two writings. */
  readonly everySeconds: number;
  write(sums: LabelSums): Promise<void>;
}

/** What was measured, and whether that is all of it. */
export interface Measured {
  readonly sums: LabelSums;
  readonly interrupted: boolean;
}

/**
 * Measure rows up to `end`, keeping a checkpoint now and then where there is a place for one, and once more at the end, or
 * when a signal asks to stop.
 */
export async function measurePair(
  pair: Pair,
  source: ActivationSource,
  kernels: Kernels,
  interruption: Interruption,
  {
    from = emptyLabelSums(pair),
    end,
    gating,
    skipNonFinite,
    batchRows,
    checkpoint,
    onRows = () => {},
  }: {
    readonly from?: LabelSums | undefined;
    readonly end: number;
    readonly gating: Gating;
    readonly skipNonFinite: boolean;
    readonly batchRows: number;
    readonly checkpoint?: CheckpointPlace | undefined;
    /** Called with the rows done so far. */
    readonly onRows?: (rows: number) => void;
  },
): Promise<Measured> {
  return interruption.during(async (signal) => {
    let sums = () => from;
    let kept = performance.now();
    const options = { from, end, gating, skipNonFinite, batchRows };
    for await (const measured of measureInsertion(pair, source, kernels, options)) {
      sums = measured.sums;
      onRows(measured.end);
      if (signal.aborted && measured.end < end) {
        await checkpoint?.write(sums());
        return { sums: sums(), interrupted: true };
      }
      if (checkpoint !== undefined && performance.now() - kept >= 1000 * checkpoint.everySeconds) {
        await checkpoint.write(sums());
        kept = performance.now();
      }
    }
    // Should writing the results fail, for want of space say, they can be had again without measuring.
    await checkpoint?.write(sums());
    return { sums: sums(), interrupted: false };
  });
}

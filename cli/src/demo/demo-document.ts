import type { TrueNovelty } from "@saestitch/core";
import { labelDocument } from "../labelling/label-document.ts";
import type { Correctness } from "../labelling/planted-truth.ts";
import type { StitchSummary } from "../stitching/stitch-document.ts";
import type { TrajectorySummary } from "../trajectory/trajectory-document.ts";
import type { DecomposedRecord } from "./decompose-world.ts";
import type { TrainedPair } from "./label-trained-pairs.ts";
import type { PlantedPairRecord } from "./planted-pair.ts";
import type { TrainedFamilyRecord } from "./train-on-world.ts";

/** Version of what `demo --json` prints; docs/label-output.md describes every field. */
export const DEMO_SCHEMA = "saestitch.demo/1";

/** What `demo --json` prints. */
export interface DemoDocument {
  readonly schema: typeof DEMO_SCHEMA;
  readonly seed: number;
  /** SAEs that were planted. */
  readonly planted: PlantedPairRecord;
  /** SAEs that were trained. */
  readonly trained: TrainedFamilyRecord;
  /** Each trained SAE but the smallest, labelled against the one before it. */
  readonly pairs: readonly (ReturnType<typeof labelDocument> & {
    readonly truth: readonly TrueNovelty[];
    readonly correctness: Correctness<TrueNovelty>;
  })[];
  /** From the last but one of the trained SAEs to the last. */
  readonly trajectory: TrajectorySummary;
  /** The SAE in the middle built anew out of the others. */
  readonly stitch: StitchSummary;
  /** Directions of known composition, taken apart. */
  readonly decomposed: DecomposedRecord;
}

/** The record of a labelled pair beside what its latents truly are. */
export function pairRecord({ run, truth, correctness }: TrainedPair): DemoDocument["pairs"][number] {
  return { ...labelDocument(run), truth, correctness };
}

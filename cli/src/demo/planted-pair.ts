import { type Kernels, label, makeToyWorld, type PlantedLatent } from "@saestitch/core";
import { type LabelSummary, labelSummary } from "../labelling/label-document.ts";
import {
  type Correctness,
  compareWithTruth,
  correctnessTable,
  plantedVerdicts,
} from "../labelling/planted-truth.ts";
import { formatCount } from "../terminal/format-number.ts";
import type { StartProgress } from "../terminal/progress.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { madeInMemory } from "./made-in-memory.ts";

/** A pair of planted SAEs, labelled. */
export interface PlantedPairRecord {
  readonly labels: LabelSummary;
  /** What each latent of the larger SAE was planted as. */
  readonly truth: readonly PlantedLatent[];
  readonly correctness: Correctness<PlantedLatent["kind"]>;
}

/** How many latents the SAEs of a pair have. */
export interface PairSizes {
  readonly smaller: { readonly m: number };
  readonly larger: { readonly m: number };
}

const names: Readonly<Record<PlantedLatent["kind"], string>> = {
  novel: "novel",
  copy: "copy",
  split: "split",
  absorbing: "absorbing",
};

/** Label a pair of SAEs that were planted, not trained, so that what each latent of the larger is is known for certain. */
export async function labelPlantedPair(
  seed: number,
  kernels: Kernels,
  startProgress: StartProgress,
): Promise<PlantedPairRecord> {
  const { smaller, larger, source, truth } = makeToyWorld({ seed });
  const progress = startProgress({ label: "planted SAEs", unit: "rows", total: source.rows });
  const labels = await label(smaller, larger, source, kernels, { onBatch: progress.update }).finally(
    progress.end,
  );
  const kinds = truth.map(({ kind }) => kind);
  return {
    labels: labelSummary({
      smaller: madeInMemory(smaller),
      larger: madeInMemory(larger),
      sample: { location: source.location, rows: source.rows, excludedTokens: [] },
      labels,
    }),
    truth,
    correctness: compareWithTruth(kinds, labels.latents.verdict, plantedVerdicts),
  };
}

/** How right the labels of the planted pair are. */
export function plantedPairSection(
  {
    labels,
    correctness,
  }: {
    readonly labels: Pick<LabelSummary, "tokens"> & PairSizes;
    readonly correctness: PlantedPairRecord["correctness"];
  },
  style: Style,
): string {
  const { smaller, larger, tokens } = labels;
  return section(
    "Planted SAEs: are verdicts right?",
    `${formatCount(smaller.m)} → ${formatCount(larger.m)} latents, ${formatCount(tokens)} tokens`,
    correctnessTable(correctness, "planted as", names),
    style,
  );
}

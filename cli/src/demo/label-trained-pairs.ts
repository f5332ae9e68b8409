import {
  type Kernels,
  label,
  type Sae,
  type TrainingWorld,
  type TrueNovelty,
  trueNovelty,
} from "@saestitch/core";
import type { LabelRun } from "../labelling/label-run.ts";
import {
  type Correctness,
  compareWithTruth,
  correctnessTable,
  trainedVerdicts,
} from "../labelling/planted-truth.ts";
import { formatCount } from "../terminal/format-number.ts";
import type { StartProgress } from "../terminal/progress.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { wrap } from "../terminal/wrap.ts";
import { madeInMemory } from "./made-in-memory.ts";
import type { PairSizes } from "./planted-pair.ts";

/** Two neighbours of a trained family, labelled, beside what their latents truly are. */
export interface TrainedPair {
  readonly run: LabelRun;
  /** What each latent of the larger SAE brings, by the world's directions alone. */
  readonly truth: readonly TrueNovelty[];
  readonly correctness: Correctness<TrueNovelty>;
}

const names: Readonly<Record<TrueNovelty, string>> = {
  novel: "direction the smaller has not found",
  known: "direction the smaller has found",
  none: "no true direction (counted apart)",
};

/** Label each SAE of `family`, the smallest first, against the one before it. */
export async function labelTrainedPairs(
  family: readonly Sae[],
  { sample, directions }: TrainingWorld,
  kernels: Kernels,
  startProgress: StartProgress,
): Promise<TrainedPair[]> {
  const pairs: TrainedPair[] = [];
  const progress = startProgress({
    label: "labelling",
    unit: "rows",
    total: (family.length - 1) * sample.rows,
  });
  try {
    for (const [i, larger] of family.entries()) {
      if (i === 0) continue;
      const smaller = family[i - 1];
      const labels = await label(smaller, larger, sample, kernels, {
        onBatch: (rows) => progress.update((i - 1) * sample.rows + rows),
      });
      const truth = await trueNovelty(directions, { smaller, larger }, kernels);
      const run = {
        smaller: madeInMemory(smaller),
        larger: madeInMemory(larger),
        sample: { location: sample.location, rows: sample.rows, excludedTokens: [] },
        labels,
      };
      pairs.push({
        run,
        truth,
        correctness: compareWithTruth(truth, labels.latents.verdict, trainedVerdicts),
      });
    }
  } finally {
    progress.end();
  }
  return pairs;
}

/** How right the labels are, pair by pair. */
export function trainedPairsSection(
  pairs: readonly (PairSizes & Pick<TrainedPair, "correctness">)[],
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const tables = pairs.map(({ smaller, larger, correctness }) => {
    const heading = `${formatCount(smaller.m)} → ${formatCount(larger.m)} latents, which stand for a`;
    return `${correctnessTable(correctness, heading, names)}\n`;
  });
  const legend =
    "A latent stands for the true direction nearest to its own, if their cosine is above 0.9. It is truly novel where no direction of the smaller SAE is as near to that one.";
  return section(
    "Trained SAEs: are verdicts right?",
    "",
    [...tables, wrap(legend, width - 2)].join("\n"),
    style,
  );
}

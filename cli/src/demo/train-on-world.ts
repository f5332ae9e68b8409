import {
  defaultTrainingOptions,
  type Kernels,
  measureReconstruction,
  type RecoveredDirections,
  recoveredDirections,
  type Sae,
  startTraining,
  type TrainingWorld,
  trainedSae,
  trainSteps,
} from "@saestitch/core";
import { formatCount, formatFixed, formatNumber, formatShare } from "../terminal/format-number.ts";
import type { StartProgress } from "../terminal/progress.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { type Column, textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import { figuresOf } from "../training/train-family.ts";

/** Latents of each SAE, and how many of them are active per token. */
const FAMILY = [
  { latents: 64, k: 3 },
  { latents: 128, k: 4 },
  { latents: 256, k: 5 },
] as const;
const STEPS = 1000;
const BATCH_ROWS = 512;
/** Higher than what is usual, for few steps and few latents. */
const RATE = 6e-3;
const QUARTERS = ["top ¼", "2nd ¼", "3rd ¼", "rarest ¼"] as const;

/** One of the SAEs trained, measured on documents that it was not trained on. */
export interface TrainedRecord {
  readonly latents: number;
  readonly k: number;
  readonly l0: number;
  readonly mse: number;
  readonly varianceExplained: number;
  readonly deadShare: number;
  /** True directions that some latent has a cosine above 0.9 to, in all and in each quarter of them, the most frequent first. */
  readonly recovered: {
    readonly directions: number;
    readonly share: number;
    readonly shareByQuarter: readonly number[];
    readonly meanCosine: number;
  };
}

/** SAEs trained in one pass on activations whose true directions are known. */
export interface TrainedFamilyRecord {
  readonly architecture: "batchtopk";
  readonly steps: number;
  readonly batchRows: number;
  readonly tokens: number;
  /** How long training took. */
  readonly seconds: number;
  /** True directions of the world. */
  readonly directions: number;
  readonly saes: readonly TrainedRecord[];
}

/** Train SAEs of several widths on a world, all in one pass, and see which of its directions they find. The smallest comes first. */
export async function trainOnWorld(
  { training, sample, directions }: TrainingWorld,
  seed: number,
  kernels: Kernels,
  startProgress: StartProgress,
): Promise<{ readonly saes: readonly Sae[]; readonly record: TrainedFamilyRecord }> {
  const { d } = training;
  const options = FAMILY.map(({ latents, k }) =>
    defaultTrainingOptions(
      { kind: "batchtopk", k },
      { d, latents, steps: STEPS, batchRows: BATCH_ROWS },
      { rate: RATE, seed },
    ),
  );
  const tokens = STEPS * BATCH_ROWS;
  let figures: readonly string[] = [];
  const progress = startProgress({
    label: "training",
    unit: "tokens",
    total: tokens,
    details: () => figures,
  });
  const begun = performance.now();
  const run = await startTraining(training, options, { batchRows: BATCH_ROWS, seed });
  try {
    for await (const reports of trainSteps(run, training, kernels)) {
      figures = figuresOf(run, reports);
      progress.update(reports[0].step * BATCH_ROWS);
    }
  } finally {
    progress.end();
  }
  const seconds = (performance.now() - begun) / 1000;
  const saes = FAMILY.map(({ latents }, i) => {
    const sae = trainedSae(run, i);
    return { ...sae, origin: { ...sae.origin, location: `trained, ${latents} latents` } };
  });
  const records = [];
  for (const [i, sae] of saes.entries()) {
    const { metrics } = await measureReconstruction(sae, sample, kernels);
    const { l0, mse, varianceExplained, deadShare } = metrics;
    const recovered = recoveredRecord(await recoveredDirections(directions, sae, kernels));
    records.push({ ...FAMILY[i], l0, mse, varianceExplained, deadShare, recovered });
  }
  return {
    saes,
    record: {
      architecture: "batchtopk",
      steps: STEPS,
      batchRows: BATCH_ROWS,
      tokens,
      seconds,
      directions: directions.rows,
      saes: records,
    },
  };
}

function recoveredRecord({
  isRecovered,
  recovered,
  share,
  meanCosine,
}: RecoveredDirections): TrainedRecord["recovered"] {
  const shareByQuarter = QUARTERS.map((_, q) => {
    const place = (quarter: number) => Math.round((quarter * isRecovered.length) / QUARTERS.length);
    const quarter = isRecovered.slice(place(q), place(q + 1));
    return quarter.filter(Boolean).length / quarter.length;
  });
  return { directions: recovered, share, shareByQuarter, meanCosine };
}

/** The SAEs, and which of the true directions they found. */
export function trainedFamilySections(
  { saes, steps, batchRows, seconds, directions }: TrainedFamilyRecord,
  { width, style }: { readonly width: number; readonly style: Style },
): string[] {
  const table = (columns: readonly (Column & { readonly cell: (sae: TrainedRecord) => string })[]) =>
    textTable(
      columns,
      saes.map((sae) => columns.map(({ cell }) => cell(sae))),
    );
  const right = (heading: string, cell: (sae: TrainedRecord) => string) =>
    ({ heading, align: "right", cell }) as const;
  const latents = right("latents", (sae) => formatCount(sae.latents));
  return [
    section(
      "Trained SAEs",
      `BatchTopK, ${formatCount(steps)} steps of ${formatCount(batchRows)} tokens, together in ${formatFixed(seconds, 1)} s`,
      table([
        latents,
        right("L0", ({ l0 }) => formatNumber(l0, 4)),
        right("MSE ↓", ({ mse }) => formatNumber(mse, 4)),
        right("var. expl. ↑", ({ varianceExplained }) => formatFixed(varianceExplained, 4)),
        right("dead ↓", ({ deadShare }) => formatShare(deadShare)),
      ]),
      style,
    ),
    section(
      `Which of the ${formatCount(directions)} true directions did they find?`,
      "↑ higher is better",
      [
        table([
          latents,
          right("found", ({ recovered }) => formatCount(recovered.directions)),
          right("of all", ({ recovered }) => formatShare(recovered.share)),
          ...QUARTERS.map((name, q) =>
            right(name, ({ recovered }) => formatShare(recovered.shareByQuarter[q])),
          ),
          right("mean cosine", ({ recovered }) => formatFixed(recovered.meanCosine, 3)),
        ]),
        wrap(
          "found: some latent's direction has a cosine above 0.9 to it; top ¼: of the most frequent quarter. Measured on documents that had no part in training.",
          width - 2,
        ),
      ].join("\n"),
      style,
    ),
  ];
}

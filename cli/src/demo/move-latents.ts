import {
  codeSample,
  type Kernels,
  measureTrajectory,
  plannedSae,
  planTrajectory,
  type Sae,
  stitchLatents,
  type TrainingWorld,
  trajectory,
} from "@saestitch/core";
import type { LabelRun } from "../labelling/label-run.ts";
import type { StitchRun } from "../stitching/stitch-document.ts";
import type { StartProgress } from "../terminal/progress.ts";
import type { TrajectoryRun } from "../trajectory/trajectory-document.ts";
import { madeInMemory } from "./made-in-memory.ts";

/** Walk from the smaller SAE of a labelled pair to the larger, largest gain first. */
export async function walk(
  run: LabelRun,
  { sample }: TrainingWorld,
  kernels: Kernels,
  startProgress: StartProgress,
): Promise<TrajectoryRun> {
  const [smaller, larger] = [run.smaller.sae, run.larger.sae];
  const coded = codeSample([smaller, larger], sample, kernels);
  const pair = { smaller: plannedSae(smaller), larger: plannedSae(larger) };
  const progress = startProgress({ label: "walking", unit: "rows", total: 3 * sample.rows });
  try {
    const plan = await planTrajectory(coded, pair, kernels, { order: "gain", onRows: progress.update });
    const sums = await measureTrajectory(coded, plan.steps, kernels, {
      onRows: (rows) => progress.update(2 * sample.rows + rows),
    });
    return { ...run, plan, trajectory: trajectory({ smaller, larger, steps: plan.steps }, sums) };
  } finally {
    progress.end();
  }
}

/** Build an SAE of the latents and L0 of `trained` out of `sources`, and compare it with `trained`, among others. */
export async function stitchTo(
  trained: { readonly sae: Sae; readonly l0: number },
  sources: readonly Sae[],
  { sample }: TrainingWorld,
  kernels: Kernels,
  startProgress: StartProgress,
): Promise<StitchRun> {
  const saes = [...sources, trained.sae];
  const budget = { latents: trained.sae.decoder.rows, l0: trained.l0 };
  const progress = startProgress({ label: "stitching", unit: "rows", total: sample.rows });
  const stitched = await stitchLatents(
    codeSample(saes, sample, kernels),
    kernels,
    { ...budget, candidates: sources.length, decoder: "refit" },
    ({ phase, done }) => {
      if (phase === "read") progress.update(done);
    },
  ).finally(progress.end);
  return {
    saes: saes.map(madeInMemory),
    candidates: sources.length,
    sample: { location: sample.location, rows: sample.rows, excludedTokens: [] },
    budget,
    thresholdForms: [],
    stitched,
  };
}

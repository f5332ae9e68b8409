import type { ActivationSource } from "../activations/activation-source.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { rowsTimes } from "../linalg/norm.ts";
import type { Sae } from "../sae/sae.ts";
import { topkThreshold } from "../sae/topk-threshold.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { startTraining, trainSteps } from "../training/train.ts";
import { trainedSae } from "../training/trained-sae.ts";
import type { StepReport, TrainingRun } from "../training/training-run.ts";
import type { MetaTraining } from "./meta-recipe.ts";
import { directionSource, type UnitDirections } from "./unit-directions.ts";

/** What training needs beside its options. */
export interface MetaTrainingTools {
  readonly kernels: Kernels;
  readonly onStep?: (report: StepReport) => void;
}

/**
 * Train a meta-SAE: a BatchTopK SAE on directions instead of activations (Leask et al., arXiv 2502.04878).
 *
 * Its threshold is the one that BatchTopK has with all directions as its batch, not the trainer's running estimate: the directions it
 * will be asked about are those it was trained on. So on them inference and batch top-k are the same, with k meta-latents active
 * on average.
 *
 * Throws as `startTraining` does, and DivergenceError when the loss is no longer finite.
 */
export async function trainMetaSae(
  directions: Pick<UnitDirections, "location" | "directions">,
  { options, data }: MetaTraining,
  tools: MetaTrainingTools,
): Promise<Sae> {
  const source = directionSource(directions);
  const run = await startTraining(source, [options], data);
  return finish(run, source, directions.directions, options.architecture.k, tools);
}

/**
 * Train on with the decoder and its bias held fixed, so that only the encoder learns to use them. Options are those of
 * {@link trainMetaSae}, but for the number of latents, which is that of `metaSae`.
 */
export async function tuneEncoder(
  metaSae: Sae,
  directions: Pick<UnitDirections, "location" | "directions">,
  { options, data }: MetaTraining,
  tools: MetaTrainingTools,
): Promise<Sae> {
  const source = directionSource(directions);
  const frozen = ["decoder", "decoderBias"];
  const run = await startTraining(source, [{ ...options, latents: metaSae.decoder.rows, frozen }], data);
  const { encoder, encoderBias, decoder, decoderBias } = run.trainees[0].state.parameters;
  encoder.weights.values.set(metaSae.encoder.values);
  decoder.weights.values.set(metaSae.decoder.values);
  decoderBias.weights.values.set(metaSae.decoderBias);
  // In training the decoder bias is what is subtracted from the input.
  const shift = rowsTimes(
    metaSae.encoder,
    metaSae.decoderBias.map((bias, c) => bias - metaSae.inputBias[c]),
  );
  encoderBias.weights.values.set(metaSae.encoderBias.map((bias, j) => bias + shift[j]));
  return finish(run, source, directions.directions, options.architecture.k, tools);
}

async function finish(
  run: TrainingRun,
  source: ActivationSource,
  directions: Matrix,
  k: number,
  { kernels, onStep = () => {} }: MetaTrainingTools,
): Promise<Sae> {
  for await (const [report] of trainSteps(run, source, kernels)) onStep(report);
  const trained = trainedSae(run, 0);
  const { threshold } = await topkThreshold(
    { ...trained, activation: { kind: "topk", k } },
    () => [directions],
    kernels,
    { mostRows: directions.rows },
  );
  return { ...trained, activation: { kind: "batchtopk", threshold } };
}

import { DataError, FormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { encodeSafetensors } from "../formats/encode-safetensors.ts";
import { parseJsonObject } from "../formats/json.ts";
import { openSafetensors, type Safetensors } from "../formats/safetensors.ts";
import type { TensorToWrite } from "../formats/tensor-to-write.ts";
import { differences } from "./differences.ts";
import { DivergenceError } from "./divergence-error.ts";
import { blankState } from "./initial-state.ts";
import type { ShufflePosition } from "./shuffled-batches.ts";
import type { TrainingOptions } from "./training-options.ts";
import type { TrainingData, TrainingRun } from "./training-run.ts";
import type { TrainingState } from "./training-state.ts";

/** The layout, and its version. */
const FORMAT = "saestitch training 1";

/** What decides the bits of a run: two runs of equal settings go on from each other's checkpoints. */
export interface TrainingSettings {
  readonly options: readonly TrainingOptions[];
  readonly data: TrainingData;
  /** What else was the same, in the caller's words: hashes of the activations. */
  readonly sample: Readonly<Record<string, string>>;
}

/** The part of a run that is not an array. */
interface Progress {
  readonly inputScale: number;
  readonly position: ShufflePosition;
  readonly trainees: readonly Pick<TrainingState, "scalars" | "step">[];
}

/**
 * A run as the chunks of a safetensors file, from which {@link decodeTraining} goes on bit for bit: the weights and moments of each
 * parameter of SAE i as `i.name.weights`, `i.name.first`, `i.name.second`; the rest as JSON in the metadata.
 *
 * Throws {@link DivergenceError} instead when a weight is no longer finite, so that a good checkpoint is not replaced by a lost run.
 */
export function encodeTraining(
  run: TrainingRun,
  sample: TrainingSettings["sample"] = {},
): Iterable<Uint8Array<ArrayBuffer>> {
  for (const { options, state } of run.trainees) checkFinite(state, options);
  const settings: TrainingSettings = {
    options: run.trainees.map(({ options }) => options),
    data: run.data,
    sample,
  };
  const progress: Progress = {
    inputScale: run.inputScale,
    position: run.position,
    trainees: run.trainees.map(({ state: { scalars, step } }) => ({ scalars, step })),
  };
  return encodeSafetensors(
    run.trainees.flatMap(({ state }, i) => [...tensorsOf(state, i)]),
    { format: FORMAT, settings: JSON.stringify(settings), progress: JSON.stringify(progress) },
  );
}

/**
 * The run that {@link encodeTraining} stored. Rejects with {@link DataError}, naming each difference, when it was of other settings
 * than `wanted`, and with {@link FormatError} when the file is something else.
 */
export async function decodeTraining(
  source: ByteSource,
  wanted: TrainingSettings,
  d: number,
): Promise<TrainingRun> {
  const file = await openSafetensors(source);
  if (file.metadata.format !== FORMAT)
    throw new FormatError(
      `${file.name} is not a checkpoint of training: its format is ${JSON.stringify(file.metadata.format)}, expected ${JSON.stringify(FORMAT)}`,
    );
  const settings = readJson(file, "settings");
  const found = differences(settings, JSON.parse(JSON.stringify(wanted)));
  if (found.length > 0)
    throw new DataError(
      `Cannot go on from ${file.name}, it is of another run: ${found
        .map(({ path, left, right }) => `${path} was ${left}, now ${right}`)
        .join("; ")}`,
    );
  const progress = readJson(file, "progress") as unknown as Progress;
  if (progress.trainees?.length !== wanted.options.length)
    throw new FormatError(`${file.name}: its progress is not of ${wanted.options.length} SAEs`);
  const trainees = [];
  for (const [i, options] of wanted.options.entries()) {
    const state = blankState(options, d);
    await fillState(file, state, i);
    Object.assign(state.scalars, progress.trainees[i].scalars);
    state.step = progress.trainees[i].step;
    trainees.push({ options, state });
  }
  return { data: wanted.data, inputScale: progress.inputScale, trainees, position: progress.position };
}

function* tensorsOf({ parameters, silentTokens }: TrainingState, i: number): Generator<TensorToWrite> {
  for (const [name, { weights, moments }] of Object.entries(parameters))
    for (const [part, { rows, columns, values }] of Object.entries({ weights, ...moments }))
      yield { name: `${i}.${name}.${part}`, dtype: "F32", shape: [rows, columns], values };
  yield { name: `${i}.silentTokens`, dtype: "F64", shape: [silentTokens.length], values: silentTokens };
}

async function fillState(file: Safetensors, state: TrainingState, i: number): Promise<void> {
  for (const { name, shape, values } of tensorsOf(state, i)) {
    if (file.info(name).shape.join() !== shape.join())
      throw new FormatError(
        `${file.name}: ${name} has the shape ${file.info(name).shape.join(" × ")}, expected ${shape.join(" × ")}`,
      );
    if (values instanceof Float64Array) values.set(await file.readFloat64(name));
    else (values as Float32Array).set(await file.readFloat32(name));
  }
}

function readJson(file: Safetensors, key: string): Record<string, unknown> {
  return parseJsonObject(new TextEncoder().encode(file.metadata[key] ?? ""), `${key} of ${file.name}`);
}

function checkFinite({ parameters, step }: TrainingState, { latents, seed }: TrainingOptions): void {
  for (const [name, { weights, moments }] of Object.entries(parameters))
    for (const { values } of [weights, moments.first, moments.second]) {
      // A finite number times zero is zero, anything else NaN.
      let sum = 0;
      for (const value of values) sum += value * 0;
      if (sum !== 0)
        throw new DivergenceError(
          `Training of the SAE with ${latents} latents (seed ${seed}) diverged: after step ${step} its ${name} holds NaN or infinite values; ` +
            "a lower learning rate or a longer warm-up may help",
          { step },
        );
    }
}

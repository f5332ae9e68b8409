import type { GradientTerm, Kernels } from "../kernels/kernels.ts";
import { type Matrix, zeros } from "../tensor/matrix.ts";
import { allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { subtractRow } from "../tensor/subtract-row.ts";
import { transposer } from "../tensor/transpose-code.ts";
import { type AuxiliaryLoss, auxiliaryLoss } from "./auxiliary-loss.ts";
import type { Objective, Slopes } from "./objectives/objective.ts";
import { type ReconstructionLoss, reconstructionLoss } from "./reconstruction-loss.ts";
import type { TrainingOptions } from "./training-options.ts";
import type { TrainingState } from "./training-state.ts";

/** A loss, and its derivatives by the parameters. */
export interface Gradient {
  readonly loss: number;
  /** Codes of the batch; activations of 0 are not active. */
  readonly code: SparseCode;
  /** Σ over tokens of ‖x − x̂‖², in units of the scaled input. */
  readonly sse: number;
  readonly encoder: readonly GradientTerm[];
  readonly decoder: readonly GradientTerm[];
  /** The parameters that are vectors, by name. */
  readonly vectors: Readonly<Record<string, ArrayLike<number>>>;
}

/**
 * The loss of `state` on a batch `x` [b × d] of scaled input and its gradient: what one step goes down. May change `state.scalars`,
 * nothing else.
 */
export async function gradientOf(
  state: TrainingState,
  x: Matrix,
  { objective, options, kernels }: { objective: Objective; options: TrainingOptions; kernels: Kernels },
): Promise<Gradient> {
  const { encoder, decoder, decoderBias } = state.parameters;
  const centred = subtractRow(x, decoderBias.weights.values);
  const firing = await objective.fire(state, centred, kernels);
  const { code } = firing;
  const turn = transposer(code);
  const error = await reconstructionLoss(
    { code, turn },
    decoder.weights,
    centred,
    objective.prefixes,
    kernels,
  );
  const { slopes, penalty } = await objective.slopes(state, firing, error.byActivation, { centred, kernels });
  const revival = await reviveDead(state, error, centred, options, kernels);
  return {
    loss: error.loss + penalty + (revival?.loss ?? 0),
    code,
    sse: error.sse,
    encoder: [{ code: turn(slopes.entries), rows: centred }, ...(revival ? [revival.encoder] : [])],
    decoder: [...error.decoder, ...(revival ? [revival.decoder] : [])],
    vectors: {
      ...slopes.own,
      encoderBias: plus(slopes.encoderBias, revival?.byProduct),
      decoderBias: await decoderBiasGradient(error, encoder.weights, code, slopes, revival, kernels),
    },
  };
}

async function reviveDead(
  state: TrainingState,
  { residual }: ReconstructionLoss,
  centred: Matrix,
  { auxiliary, deadAfterTokens }: TrainingOptions,
  kernels: Kernels,
): Promise<AuxiliaryLoss | undefined> {
  if (auxiliary === undefined || auxiliary.weight === 0) return undefined;
  const dead: number[] = [];
  state.silentTokens.forEach((tokens, j) => {
    if (tokens > deadAfterTokens) dead.push(j);
  });
  if (dead.length === 0) return undefined;
  return auxiliaryLoss(state, Int32Array.from(dead), { centred, residual }, auxiliary, kernels);
}

/** Rows that the product below is cut into, so that threads can share it. */
const CUTS = 16;

/**
 * [d]: the decoder bias is added to every reconstruction, and subtracted from every input, where each entry's slope by its product
 * reaches it through the encoder: −Σ slope · encoder row.
 */
async function decoderBiasGradient(
  { byConstant }: ReconstructionLoss,
  encoder: Matrix,
  { indices }: SparseCode,
  { entries }: Slopes,
  revival: AuxiliaryLoss | undefined,
  kernels: Kernels,
): Promise<Float64Array> {
  const m = encoder.rows;
  const byLatent = new Float32Array(m);
  const sums = new Float64Array(m);
  for (let entry = 0; entry < indices.length; entry++) sums[indices[entry]] += entries[entry];
  byLatent.set(plus(sums, revival?.byProduct));
  const offsets = allocateInt32(CUTS + 1);
  for (let cut = 0; cut <= CUTS; cut++) offsets[cut] = Math.floor((m * cut) / CUTS);
  const code = {
    rows: CUTS,
    columns: m,
    offsets,
    indices: Int32Array.from({ length: m }, (_, j) => j),
    values: byLatent,
  };
  const through = await kernels.decode(code, encoder, zeros(CUTS, encoder.columns), -1);
  const gradient = Float64Array.from(byConstant);
  for (let at = 0; at < through.values.length; at++) gradient[at % encoder.columns] += through.values[at];
  return gradient;
}

function plus(a: Float64Array, b: Float64Array | undefined): Float64Array {
  return b === undefined ? a : a.map((value, j) => value + b[j]);
}

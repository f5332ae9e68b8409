import {
  arrangeExchange,
  checkComparable,
  decoderBiasAt,
  encode,
  exchangedCode,
  type Kernels,
  type Matrix,
  reconstruct,
  recycle,
  type Sae,
  splitColumns,
  type TrajectoryBias,
  type TrajectorySums,
  UnsupportedError,
  type Walk,
} from "@saestitch/core";
import type { LossVariant } from "./loss-variants.ts";

/** Options of {@link exchangeVariants}. */
export interface ExchangeOptions {
  /** What the decoder bias does; `refit` needs `sums`. */
  readonly bias?: TrajectoryBias | undefined;
  /** What `measureTrajectory` measured of this walk. */
  readonly sums?: TrajectorySums | undefined;
  /** Name of the variant after a number of steps. */
  readonly name?: (step: number) => string;
}

/**
 * The stitched SAE after each number of steps of `at`, 0 being the smaller SAE: what that writes, less the latents that have left, and
 * with those that have entered, each firing as in its own SAE.
 *
 * The variants share the codes of a batch, so that however many they are, each SAE encodes it once, and one matrix holds the directions of
 * all that moves. Throws as `arrangeExchange`, `checkComparable` and `decoderBiasAt` do, and {@link UnsupportedError} for a step that
 * does not exist.
 */
export function exchangeVariants(
  walk: Walk,
  at: readonly number[],
  kernels: Kernels,
  { bias = "host", sums, name = (step) => `step ${step}` }: ExchangeOptions = {},
): LossVariant[] {
  const { smaller, larger, steps } = walk;
  checkComparable([smaller, larger]);
  for (const step of at)
    if (!Number.isInteger(step) || step < 0 || step > steps.length)
      throw new UnsupportedError(`There is no step ${step}; the walk has steps 0 to ${steps.length}`);
  const exchange = arrangeExchange(smaller, larger, steps.slice(0, Math.max(0, ...at)));
  const codesOf = forLatest(async (activations: Matrix) => {
    const [host, donor] = await Promise.all([
      encode(smaller, activations, kernels),
      encode(larger, activations, kernels),
    ]);
    return { host, moved: exchangedCode(exchange, host.contributions, donor.contributions) };
  });
  return at.map((step) => {
    const host = { ...smaller, decoderBias: decoderBiasAt(walk, step, bias, sums) };
    const positions = exchange.swap.findIndex((swap) => swap >= step);
    const end = positions < 0 ? exchange.swap.length : positions;
    return {
      name: name(step),
      async replace(activations) {
        const codes = await codesOf(activations);
        const base = await reconstruct(host, codes.host, kernels);
        if (end === 0) return base;
        const [{ code }] = splitColumns(codes.moved, [end]);
        const stitched = await kernels.decode(code, exchange.directions, base, 1);
        recycle(base.values);
        return stitched;
      },
    };
  });
}

/**
 * The host's reconstruction and, added to it, what the chosen latents of the donor write, each firing as in its own SAE. Throws as
 * {@link exchangeVariants} does.
 */
export function insertionVariant(
  name: string,
  host: Sae,
  donor: Sae,
  latents: readonly number[],
  kernels: Kernels,
): LossVariant {
  const walk = { smaller: host, larger: donor, steps: [{ remove: [], insert: latents }] };
  const [inserted] = exchangeVariants(walk, [1], kernels, { name: () => name });
  return inserted;
}

/** `make` with a memory of its latest argument: variants are asked one after the other for the same batch. */
function forLatest<Argument, Result>(
  make: (argument: Argument) => Promise<Result>,
): (argument: Argument) => Promise<Result> {
  let latest: { readonly argument: Argument; readonly result: Promise<Result> } | undefined;
  return (argument) => {
    if (latest?.argument !== argument) latest = { argument, result: make(argument) };
    return latest.result;
  };
}

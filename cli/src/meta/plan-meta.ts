import {
  type MetaTraining,
  metaRecipes,
  metaTraining,
  ShapeError,
  type UnitDirections,
  unitDirections,
} from "@saestitch/core";
import { UsageError } from "../arguments/usage-error.ts";
import { UserError } from "../failure.ts";
import type { SaeInput } from "../inputs/provenance.ts";
import type { MetaOptions } from "./meta-options.ts";
import type { SaeDirections } from "./meta-run.ts";

/** Throw {@link UsageError} for options that contradict each other, whatever the SAE. */
export function checkMetaOptions({ k, latents, compare, "no-null": noNull }: MetaOptions): void {
  if (latents !== undefined && k >= latents)
    throw new UsageError(`--k ${k} must be less than --latents ${latents}`);
  if (noNull && compare !== undefined)
    throw new UsageError("--no-null does not go with --compare, which compares with random directions");
}

/**
 * How to train a meta-SAE on these directions. Throws {@link UserError} for more meta-latents than there are directions, and when a
 * recipe would give no more than k.
 */
export function planMeta(
  { recipe, k, steps, latents, seed }: MetaOptions,
  { directions: { rows }, location }: UnitDirections,
): MetaTraining {
  const training = metaTraining({ ...metaRecipes[recipe], k, ...(steps !== undefined && { steps }) }, rows, {
    seed,
    ...(latents !== undefined && { latents }),
  });
  const count = training.options.latents;
  if (count > rows)
    throw new UserError(
      `--latents ${count} is more than the ${rows} directions of ${location}; a meta-SAE has fewer meta-latents than there are directions to explain`,
    );
  if (count <= k)
    throw new UserError(
      `For the ${rows} directions of ${location} the recipe ${recipe} has ${count} meta-latents, but there must be more than --k ${k}: give --latents N`,
    );
  return training;
}

/** An SAE with its directions; DataError for directions that hold NaN or infinite values. */
export function withDirections(input: SaeInput): SaeDirections {
  return { input, unit: unitDirections(input.sae) };
}

/** Throw {@link ShapeError} when directions of two SAEs are of different width, and so nothing can be said of both. */
export function checkEqualWidth(one: SaeInput, other: SaeInput): void {
  const [a, b] = [one, other].map(({ sae }) => sae.decoder.columns);
  if (a !== b)
    throw new ShapeError(
      `${one.location} has directions of width ${a} and ${other.location} of width ${b}: expected SAEs of the same activations`,
    );
}

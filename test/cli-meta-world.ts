import { join } from "node:path";
import { row, type Sae } from "@saestitch/core";
import { readSae } from "@saestitch/core/node";
import { type WorldOnDisk, writeSae, writeWorld } from "./cli-world.ts";

/** A latent of the larger SAE without a direction, so that indices of latents and of directions differ. */
export const SILENT = 3;

/** Two SAEs on disk; the direction of latent {@link SILENT} of the larger one is zero. */
export async function writeMetaWorld(): Promise<WorldOnDisk & { readonly largerSae: Sae }> {
  const world = await writeWorld({ documents: 1 });
  const largerSae = await readSae(world.larger);
  row(largerSae.decoder, SILENT).fill(0);
  await writeSae(join(world.folder, "larger"), largerSae);
  return { ...world, largerSae };
}

/** Row j of a matrix at length 1. */
export function unit(m: Sae["decoder"], j: number): number[] {
  const values = [...row(m, j)];
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** Inner product. */
export function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a, (value, c) => value * b[c]).reduce((sum, product) => sum + product, 0);
}

/** Activations of each meta-latent on w, and their sum, by the definition. */
export function plainly(
  { encoder, encoderBias, decoder, decoderBias, inputBias, activation }: Sae,
  w: number[],
) {
  if (activation.kind !== "jumprelu") throw new Error(`expected jumprelu, got ${activation.kind}`);
  const { threshold } = activation;
  const strengths = Array.from(encoderBias, (bias, j) => {
    const z =
      inner(
        row(encoder, j),
        w.map((value, c) => value - inputBias[c]),
      ) + bias;
    // A threshold may be, to the bit, the float32 sum of a meta-latent that is just not active.
    return z > threshold[j] + 1e-6 ? z : 0;
  });
  const sum = w.map((_, c) =>
    strengths.reduce((total, strength, j) => total + strength * row(decoder, j)[c], decoderBias[c]),
  );
  return { strengths, sum };
}

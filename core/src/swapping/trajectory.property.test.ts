import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decidedRows, plainSwapped } from "../../test-support/plain-swap.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { label } from "../labelling/label.ts";
import { type Random, seededRandom } from "../linalg/random.ts";
import { measureReconstruction } from "../metrics/measure-reconstruction.ts";
import { type ChosenLatent, mergeSaes } from "../sae/merge.ts";
import type { Normalization, Sae } from "../sae/sae.ts";
import type { Matrix } from "../tensor/matrix.ts";
import type { Swap } from "./exchange.ts";
import { type Trajectory, trajectory } from "./trajectory.ts";
import { type TrajectoryBias, trajectoryBiases } from "./trajectory-bias.ts";
import { measureTrajectory } from "./trajectory-measure.ts";

const d = 5;
const latents = { smaller: 6, larger: 9 };
const normalizations: Normalization[] = [
  { kind: "none" },
  { kind: "layer-norm" },
  { kind: "unit-mean-square" },
];
const architectures = ["relu", "jumprelu", "topk", "batchtopk", "gated"].flatMap((name, kind) =>
  normalizations.map((normalization) => ({
    name: `${name}, normalised by ${normalization.kind}`,
    kind,
    normalization,
  })),
);
/** Of the highest MSE passed on the way: float32 residuals cannot be more exact than the largest of them was. */
const TOLERANCE = 1e-6;

/** Two SAEs, of which the smaller has the architecture asked for and the larger any, and tokens on which their decisions are clear. */
interface World {
  readonly random: Random;
  readonly smaller: Sae;
  readonly larger: Sae;
  readonly x: Matrix;
}

function makeWorld(seed: number, kind: number, normalization: Normalization): World {
  const random = seededRandom(seed);
  const any = Math.floor(random() * 5);
  const make = (count: number, activation: number) =>
    randomSae(random, d, count, { activation: everyActivation(random, count)[activation], normalization });
  const [smaller, larger] = [make(latents.smaller, kind), make(latents.larger, any)];
  return { random, smaller, larger, x: decidedRows(randomMatrix(random, 16, d), [smaller, larger]) };
}

/** Latents of both in random groups, each with probability `share`. */
function randomSteps(random: Random, share: number): Swap[] {
  const groups = Array.from({ length: 6 }, () => ({ remove: [] as number[], insert: [] as number[] }));
  const any = () => groups[Math.floor(random() * groups.length)];
  for (let j = 0; j < latents.smaller; j++) if (random() < share) any().remove.push(j);
  for (let j = 0; j < latents.larger; j++) if (random() < share) any().insert.push(j);
  return groups;
}

async function walk(
  { smaller, larger, x }: World,
  steps: readonly Swap[],
  bias: TrajectoryBias = "host",
): Promise<Trajectory> {
  const sums = await measureTrajectory(
    codeSample([smaller, larger], activationsInMemory(x), kernels),
    steps,
    kernels,
  );
  return trajectory({ smaller, larger, steps }, sums, { bias });
}

/** `check` holds in many worlds of this architecture. */
async function inWorlds(
  { kind, normalization }: (typeof architectures)[number],
  check: (world: World) => Promise<void>,
  numRuns = 6,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const world = makeWorld(seed, kind, normalization);
      fc.pre(world.x.rows >= 4);
      await check(world);
    }),
    { numRuns },
  );
}

describe.each(architectures)("a trajectory from $name", (architecture) => {
  test("is after every step what the dictionary then is, built anew", async () => {
    await inWorlds(architecture, async (world) => {
      const { random, smaller, larger, x } = world;
      const steps = randomSteps(random, 0.8);
      for (const bias of trajectoryBiases) {
        const { path } = await walk(world, steps, bias);
        steps.concat([{ remove: [], insert: [] }]).forEach((_, k) => {
          const { mse, l0 } = plainSwapped(smaller, larger, x, steps.slice(0, k), bias);
          expect(Math.abs(path.mse[k] - mse) / highestUntil(path.mse, k)).toBeLessThan(TOLERANCE);
          expect(path.l0[k]).toBeCloseTo(l0, 10);
        });
      }
    });
  });

  test("changes the error at its first step as label() says of that latent alone", async () => {
    await inWorlds(
      architecture,
      async (world) => {
        const { smaller, larger, x } = world;
        const labelled = await label(smaller, larger, activationsInMemory(x), kernels);
        const { mse } = plainSwapped(smaller, larger, x, [], "host");
        for (let j = 0; j < latents.larger; j++) {
          const steps = [{ remove: [], insert: [j] }];
          const inserted = plainSwapped(smaller, larger, x, steps, "host").mse - mse;
          const { path } = await walk(world, steps);
          const scale = Math.max(mse, mse + inserted);
          expect(Math.abs(path.deltaMse[1] - inserted) / scale).toBeLessThan(TOLERANCE);
          expect(Math.abs(labelled.latents.deltaMse[j] - inserted) / scale).toBeLessThan(TOLERANCE);
        }
      },
      3,
    );
  });

  test("leads from the smaller SAE to the larger, whatever the order", async () => {
    await inWorlds(architecture, async (world) => {
      const { random, smaller, larger, x } = world;
      const [ofSmaller, ofLarger] = await Promise.all(
        [smaller, larger].map(
          async (sae) => (await measureReconstruction(sae, activationsInMemory(x), kernels)).metrics,
        ),
      );
      const steps = randomSteps(random, 1);
      const backwards = [...steps].reverse();
      for (const order of [steps, backwards, [mergedSteps(steps)]]) {
        const { path, ends, rises } = await walk(world, order, "donor");
        const last = order.length;
        expect(path.mse[0]).toBeCloseTo(ofSmaller.mse, 10);
        expect(path.l0[0]).toBeCloseTo(ofSmaller.l0, 10);
        expect(path.varianceExplained[0]).toBeCloseTo(ofSmaller.varianceExplained, 10);
        expect(Math.abs(path.mse[last] - ofLarger.mse) / highestUntil(path.mse, last)).toBeLessThan(
          TOLERANCE,
        );
        expect(path.l0[last]).toBeCloseTo(ofLarger.l0, 10);
        expect(path.varianceExplained[last]).toBeCloseTo(ofLarger.varianceExplained, 5);
        expect(path.latents[0]).toBe(latents.smaller);
        expect(path.latents[last]).toBe(latents.larger);
        expect(ends.start.relativeDifference).toBe(0);
        expect(Math.abs(ends.end?.relativeDifference ?? Number.NaN)).toBeLessThan(TOLERANCE);
        expect(path.mseBy.interpolate[last]).toBeCloseTo(path.mse[last], 10);
        const rising = path.deltaMse.reduce((sum, delta) => sum + Math.max(delta, 0), 0);
        expect(rises.total).toBeCloseTo(rising, 6);
      }
    });
  });

  test("stands still where latents are swapped for their own copies", async () => {
    await inWorlds(architecture, async ({ random, smaller, x }) => {
      const twins = { random, smaller, larger: smaller, x };
      const steps = Array.from({ length: latents.smaller }, (_, j) => ({ remove: [j], insert: [j] }));
      const { path, rises } = await walk(twins, steps);
      for (const bias of trajectoryBiases)
        for (const mse of path.mseBy[bias])
          expect(Math.abs(mse - path.mseBy[bias][0]) / path.mse[0]).toBeLessThan(TOLERANCE);
      expect(new Set(path.l0)).toEqual(new Set([path.l0[0]]));
      expect(rises.largest / path.mse[0]).toBeLessThan(TOLERANCE);
    });
  });
});

describe.each(architectures.filter(({ name }) => !name.startsWith("topk")))(
  "the ordinary SAE into which mergeSaes() puts latents of $name and another",
  (architecture) => {
    test("reconstructs as the trajectory says of its step, and as label() says of one latent", async () => {
      await inWorlds(architecture, async (world) => {
        const { random, smaller, larger, x } = world;
        fc.pre(larger.activation.kind !== "topk");
        const source = activationsInMemory(x);
        const labelled = await label(smaller, larger, source, kernels);
        const first = Math.floor(random() * latents.larger);
        const others = randomSteps(random, 0.6).map(({ remove, insert }) => ({
          remove,
          insert: insert.filter((latent) => latent !== first),
        }));
        const steps = [{ remove: [], insert: [first] }, ...others];
        const { path } = await walk(world, steps);
        for (let k = 0; k <= steps.length; k++) {
          const merged = mergeSaes([smaller, larger], chosenAfter(steps.slice(0, k)), {
            decoderBias: smaller.decoderBias,
          });
          const { metrics } = await measureReconstruction(merged, source, kernels);
          const scale = highestUntil(path.mse, k);
          expect(Math.abs(path.mse[k] - metrics.mse) / scale).toBeLessThan(TOLERANCE);
          expect(path.l0[k]).toBeCloseTo(metrics.l0, 10);
          if (k !== 1) continue;
          const inserted = metrics.mse - labelled.smaller.mse;
          expect(Math.abs(labelled.latents.deltaMse[first] - inserted) / scale).toBeLessThan(TOLERANCE);
        }
      });
    });
  },
);

/** The highest of the first `step + 1` errors. */
function highestUntil(mse: Float64Array, step: number): number {
  return mse.subarray(0, step + 1).reduce((highest, value) => Math.max(highest, value));
}

function chosenAfter(steps: readonly Swap[]): ChosenLatent[] {
  const { remove, insert } = mergedSteps(steps);
  const kept = Array.from({ length: latents.smaller }, (_, latent) => latent).filter(
    (latent) => !remove.includes(latent),
  );
  return [...kept.map((latent) => ({ sae: 0, latent })), ...insert.map((latent) => ({ sae: 1, latent }))];
}

function mergedSteps(steps: readonly Swap[]): Swap {
  return { remove: steps.flatMap(({ remove }) => remove), insert: steps.flatMap(({ insert }) => insert) };
}

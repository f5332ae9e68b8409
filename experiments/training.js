import {
  defaultTrainingOptions,
  measureReconstruction,
  residualActivations,
  startTraining,
  trainedSae,
  trainSteps,
} from "@saestitch/core";
import { openFamily, percent, printTable, sizes } from "./stories260k.js";

/**
 * What our training reaches on the activations of the given SAEs: the same widths, at an L0 no higher than theirs; and the same budget of latents
 * and L0 spent on a smaller SAE and a second one on what it misses. STEPS batches of 1024 tokens (the given SAEs took 9000).
 */
const batchRows = 1024;
const steps = Number(process.env.STEPS ?? 3000);
const family = await openFamily();
const { kernels, source } = family;
const measure = async (sae, of = source) => (await measureReconstruction(sae, of, kernels)).metrics;

const rows = [];
const add = (name, latents, metrics, given) =>
  rows.push([
    name,
    latents,
    metrics.l0.toFixed(2),
    metrics.mse.toFixed(5),
    metrics.varianceExplained.toFixed(4),
    percent(metrics.deadShare, 1),
    given === undefined ? "–" : percent(metrics.mse / given.mse - 1, 1),
  ]);

const given = new Map();
for (const size of sizes) {
  given.set(size, await measure(family.sae(size)));
  add("given (ReLU, L1), 9000 steps", size, given.get(size));
}
const batchtopk = await trainAll(sizes, { kind: "batchtopk", k: 8 });
for (const [i, size] of sizes.entries())
  add(`BatchTopK, k 8, ${steps} steps`, size, await measure(batchtopk[i]), given.get(size));
const reluSizes = [512];
const relu = await trainAll(
  reluSizes,
  { kind: "relu", l1: 0.05, l1WarmUpSteps: steps / 10, targetL0: 8.4 },
  3 * steps,
);
for (const [i, size] of reluSizes.entries())
  add(`ReLU, L1 steered to L0 8.4, ${3 * steps} steps`, size, await measure(relu[i]), given.get(size));

for (const size of [256, 512]) {
  const host = family.sae(size);
  const missed = residualActivations(host, source, kernels);
  const [boost] = await trainAll([size], { kind: "batchtopk", k: 4 }, steps, missed);
  const metrics = await measure(boost, missed);
  add(
    `given ${size} and BatchTopK ${size}, k 4, on what it misses`,
    2 * size,
    {
      mse: metrics.mse,
      l0: given.get(size).l0 + metrics.l0,
      // What is missed of what the first missed, of the variance of the activations.
      varianceExplained: 1 - metrics.mse / (given.get(size).mse / (1 - given.get(size).varianceExplained)),
      deadShare: metrics.deadShare / 2,
    },
    given.get(2 * size),
  );
}
printTable(
  [
    "SAE",
    "latents",
    "L0",
    "MSE ↓",
    "variance explained ↑",
    "dead ↓",
    "MSE against the given SAE of that size",
  ],
  rows,
);
await family.close();

async function trainAll(widths, architecture, count = steps, activations = source) {
  const options = widths.map((latents) =>
    defaultTrainingOptions(
      architecture,
      { d: source.d, latents, steps: count, batchRows },
      { rate: 1e-3, warmUpSteps: Math.floor(count / 10), decaySteps: Math.floor(count / 5) },
    ),
  );
  const run = await startTraining(activations, options, { batchRows });
  for await (const [report] of trainSteps(run, activations, kernels))
    if (report.step % 500 === 0) console.error(`${architecture.kind} ${report.step} of ${count} steps`);
  return widths.map((_, i) => trainedSae(run, i));
}

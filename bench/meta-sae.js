// A meta-SAE by SAEBench's recipe: a quarter as many meta-latents as directions, k 4, 1500 steps of 1024. SAEBench reports 5.2 s for this size on
// a GPU that it does not name (its fixture meta_structure/pythia70m_tr10). Sizes by environment: D, DIRECTIONS, STEPS, THREADS.
import {
  composedDirections,
  explainDirections,
  metaRecipes,
  metaTraining,
  trainMetaSae,
} from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";

const size = (name, fallback) => Number(process.env[name] ?? fallback);
const [d, count, steps, threads] = [
  size("D", 512),
  size("DIRECTIONS", 16_384),
  size("STEPS", 1500),
  size("THREADS", 2),
];
const kernels = await openKernels({ threads });
const { directions } = composedDirections(1, { count, hidden: count / 4, d, parts: [2, 4] });
const training = metaTraining({ ...metaRecipes.saebench, steps }, count);

const start = performance.now();
const metaSae = await trainMetaSae({ location: "sums of hidden directions", directions }, training, {
  kernels,
});
const seconds = (performance.now() - start) / 1000;
const { varianceExplained, l0, deadShare } = await explainDirections(metaSae, directions, kernels);
await kernels.close();

console.log(
  `meta-SAE of ${training.options.latents} latents on ${count} directions of width ${d}, ${steps} steps of ${training.data.batchRows}, ${kernels.name}`,
);
console.log(
  `  ${seconds.toFixed(1)} s (published: 5.2 s on a GPU, ${(seconds / 5.2).toFixed(0)}× less); variance explained ${(100 * varianceExplained).toFixed(1)} %, ` +
    `L0 ${l0.toFixed(2)}, dead ${(100 * deadShare).toFixed(1)} %; peak of the process ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
);

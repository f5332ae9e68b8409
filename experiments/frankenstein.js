import { codeSample, stitchLatents } from "@saestitch/core";
import { openFamily, percent, printTable, sizes } from "./stories260k.js";

/**
 * Claim: Frankenstein's SAE beats the trained SAE of its size. At the latents and the L0 of each trained SAE, with all five as the
 * pool, and with the trained SAE of that size left out of it. Sizes may be given: node experiments/frankenstein.js 256 512
 */
const family = await openFamily();
const chosen = process.argv.length > 2 ? process.argv.slice(2).map(Number) : sizes;
/** As `saestitch evaluate` prints them, to two decimals. */
const trainedL0 = new Map([
  [128, 8.97],
  [256, 8.83],
  [512, 8.57],
  [1024, 8.42],
  [2048, 8.47],
]);
const rows = [];
for (const size of chosen) {
  const others = sizes.filter((other) => other !== size);
  for (const pool of [sizes, others]) {
    const isLeftOut = pool === others;
    // The trained SAE is coded last when it only competes.
    const saes = isLeftOut ? [...others, size] : sizes;
    const coded = codeSample(
      saes.map((of) => family.sae(of)),
      family.source,
      family.kernels,
    );
    const { comparison } = await stitchLatents(coded, family.kernels, {
      latents: size,
      l0: trainedL0.get(size),
      candidates: pool.length,
    });
    const cell = (method, refit) => {
      const row = comparison.rows.find(
        (r) => r.method === method && r.refit === refit && (method !== "trained" || saes[r.sae] === size),
      );
      if (row === undefined) return "–";
      const latents = row.latents === size ? "" : `, ${row.latents} latents`;
      return `${row.mse.toFixed(5)} (L0 ${row.l0.toFixed(2)}${latents})`;
    };
    const best = (method, refit) => comparison.rows.find((r) => r.method === method && r.refit === refit).mse;
    for (const refit of ["bias", "decoder"])
      rows.push([
        `${size}, ${trainedL0.get(size)}`,
        isLeftOut ? "the other four" : "all five",
        refit,
        cell("greedy", refit),
        cell("threshold", refit),
        cell("concatenation", refit),
        cell("random", refit),
        cell("trained", refit),
        percent(best("greedy", refit) / best("trained", refit) - 1, 1),
      ]);
    console.error(`${size} ${isLeftOut ? "left out" : "in the pool"}: ${performance.now() / 1000} s`);
    printTable(Array(9).fill(""), rows.slice(-2));
  }
}
console.log();
printTable(
  [
    "latents, L0",
    "pool",
    "re-fitted",
    "greedy",
    "threshold",
    "concatenation",
    "random",
    "trained SAE of that size",
    "greedy against trained",
  ],
  rows,
);
await family.close();

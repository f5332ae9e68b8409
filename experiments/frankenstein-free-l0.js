import { codeSample, stitchLatents } from "@saestitch/core";
import { openFamily, printTable, sizes } from "./stories260k.js";

/**
 * Claim: Frankenstein's SAE beats the trained SAE of its size, as it was published: at equal latents, whatever the L0. Sizes may be
 * given: node experiments/frankenstein-free-l0.js 256 512
 */
const family = await openFamily();
const chosen = process.argv.length > 2 ? process.argv.slice(2).map(Number) : sizes.slice(1, 4);
const rows = [];
for (const size of chosen) {
  const others = sizes.filter((other) => other !== size);
  const coded = codeSample(
    [...others, size].map((of) => family.sae(of)),
    family.source,
    family.kernels,
  );
  const { comparison } = await stitchLatents(coded, family.kernels, {
    latents: size,
    candidates: others.length,
  });
  // The first point of a curve is the dictionary as it is, nothing dropped.
  const cell = (method) => {
    const natural = comparison.curves.find((curve) => curve.method === method)?.points[0];
    return natural === undefined ? "–" : `${natural.mse.toFixed(5)} (L0 ${natural.l0.toFixed(2)})`;
  };
  rows.push([size, cell("greedy"), cell("threshold"), cell("concatenation"), cell("trained")]);
  console.error(`${size}: ${(performance.now() / 1000).toFixed(0)} s`);
}
printTable(["latents", "greedy", "threshold", "concatenation", "trained SAE of that size"], rows);
await family.close();

// Time of labelling over the time of the two dense encoder products alone, on the same kernels, best of two. Aim: at most 1.3.
// Labelling includes matching all directions, which does not grow with the sample.
import { activationsInMemory, label, seededRandom } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { randomMatrix, syntheticSae } from "./synthetic.js";

const kernels = await openKernels();
console.log(`labelling over the two encoder products alone, ${kernels.name}`);
for (const { d, host, donor, l0, tokens } of [
  { d: 64, host: 1024, donor: 2048, l0: 9, tokens: 262_144 },
  { d: 768, host: 1536, donor: 6144, l0: 40, tokens: 65_536 },
  { d: 768, host: 6144, donor: 24_576, l0: 40, tokens: 65_536 },
]) {
  const smaller = syntheticSae(1, d, host, l0);
  const larger = syntheticSae(2, d, donor, l0);
  const source = activationsInMemory(randomMatrix(seededRandom(3), tokens, d));
  const products = [];
  const labelling = [];
  for (let round = 0; round < 2; round++) {
    products.push(await seconds(() => encoderProducts(smaller, larger, source)));
    labelling.push(await seconds(() => label(smaller, larger, source, kernels)));
  }
  const [p, l] = [Math.min(...products), Math.min(...labelling)];
  console.log(
    `  d = ${d}, ${host} → ${donor} latents, L0 ${l0}, ${tokens} tokens: products ${p.toFixed(2)} s, labelling ${l.toFixed(2)} s, ratio ${(l / p).toFixed(2)}`,
  );
}
await kernels.close();

/** Both pre-activations of every token, of which none is selected. */
async function encoderProducts(smaller, larger, source) {
  const nothing = (sae) => ({
    kind: "threshold",
    threshold: new Float32Array(sae.encoder.rows).fill(Number.POSITIVE_INFINITY),
  });
  for await (const { activations } of source.batches()) {
    await Promise.all(
      [smaller, larger].map((sae) => kernels.encode(activations, sae.encoder, sae.encoderBias, nothing(sae))),
    );
  }
}

async function seconds(run) {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

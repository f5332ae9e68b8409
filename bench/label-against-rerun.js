// Every latent's ΔMSE from one pass, against inserting each latent and re-running the smaller SAE. Both ours, same kernels.
import { activationsInMemory, encode, label, residual, seededRandom, zeros } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { randomMatrix, syntheticSae } from "./synthetic.js";

const d = 128;
const tokens = 1024;
const smaller = syntheticSae(1, d, 1024, 24);
const larger = syntheticSae(2, d, 4096, 24);
const x = randomMatrix(seededRandom(3), tokens, d);
const kernels = await openKernels();

const onePass = await timed(() => label(smaller, larger, activationsInMemory(x), kernels));
const before = await squaredError(smaller);
const rerun = await timed(async () => {
  const delta = new Float64Array(larger.decoder.rows);
  const host = roomForOneMore(smaller);
  for (let j = 0; j < delta.length; j++) {
    insert(host, larger, j);
    delta[j] = ((await squaredError(host)) - before) / tokens / d;
  }
  return delta;
});
await kernels.close();

const { deltaMse } = onePass.result.latents;
const largest = deltaMse.reduce((most, delta) => Math.max(most, Math.abs(delta)), 0);
const difference = deltaMse.reduce((most, delta, j) => Math.max(most, Math.abs(delta - rerun.result[j])), 0);
console.log(
  `inserting each of ${larger.decoder.rows} latents into ${smaller.decoder.rows}, ${tokens} tokens of width ${d}, ${kernels.name}`,
);
console.log(`  one pass          ${onePass.seconds.toFixed(3)} s`);
console.log(`  one run a latent  ${rerun.seconds.toFixed(1)} s`);
console.log(`  ratio             ${(rerun.seconds / onePass.seconds).toFixed(0)}×`);
console.log(
  `  largest difference of ΔMSE, relative to the largest ΔMSE: ${(difference / largest).toExponential(1)}`,
);

async function timed(run) {
  const start = performance.now();
  const result = await run();
  return { result, seconds: (performance.now() - start) / 1000 };
}

async function squaredError(sae) {
  const r = await residual(sae, x, await encode(sae, x, kernels), kernels);
  return r.values.reduce((sum, value) => sum + value * value, 0);
}

/** The SAE with one more latent, still silent. */
function roomForOneMore(sae) {
  const extend = ({ rows, columns, values }) => {
    const extended = zeros(rows + 1, columns);
    extended.values.set(values);
    return extended;
  };
  const encoderBias = new Float32Array(sae.encoderBias.length + 1);
  encoderBias.set(sae.encoderBias);
  return { ...sae, encoder: extend(sae.encoder), decoder: extend(sae.decoder), encoderBias };
}

function insert(host, donor, latent) {
  const last = host.encoder.rows - 1;
  for (const part of ["encoder", "decoder"]) {
    host[part].values.set(donor[part].values.subarray(latent * d, (latent + 1) * d), last * d);
  }
  host.encoderBias[last] = donor.encoderBias[latent];
}

// Greedy choice of 5 000 of 24 576 candidates by measured gain: seconds, gains computed, and what plain greedy would need.
// Sizes by environment: D, LATENTS, PICKS, TOKENS (of the half that selects), ACTIVE, ROUNDS (exchange rounds).
import { DictionaryFit, poolLatents, seededRandom, selectGreedily } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { randomMatrix, syntheticSae } from "./synthetic.js";

const size = (name, fallback) => Number(process.env[name] ?? fallback);
const d = size("D", 768);
const latents = size("LATENTS", 24_576);
const picks = size("PICKS", 5000);
const n = size("TOKENS", 25_000);
const active = size("ACTIVE", 40);
const rounds = size("ROUNDS", 0);

const kernels = await openKernels();
const random = seededRandom(1);
const pool = poolLatents([candidates()]);
const tokens = await writtenTokens();
const fit = new DictionaryFit(pool, tokens);
const before = fit.objective;

const everyGain = seconds(() => {
  for (let id = 0; id < latents; id++) fit.gain(id);
});

const start = performance.now();
let report;
for await (const progress of selectGreedily(fit, kernels, { latents: picks, exchangeRounds: rounds }))
  if (progress.phase === "done") report = progress.report();
const greedy = (performance.now() - start) / 1000;
await kernels.close();

const mebibytes = (bytes) => Math.round(bytes / 2 ** 20);
const plain = (report.plainEvaluations * everyGain) / latents;
const codes = 2 * 8 * tokens.code.indices.length;
console.log(
  `greedy choice of ${fit.size} of ${latents} latents, d = ${d}, ${n} tokens with ${active} active, ${rounds} exchange rounds, ${kernels.name}`,
);
console.log(
  `  ${greedy.toFixed(1)} s; squared error left: ${(fit.objective / before).toFixed(3)} of that of the bias alone`,
);
console.log(
  `  gains computed: ${report.evaluations}; plain greedy: ${report.plainEvaluations}, ${(report.plainEvaluations / report.evaluations).toFixed(0)}× as many`,
);
console.log(
  `  plain greedy would take ${plain.toFixed(0)} s, reckoned from one round over all candidates (${everyGain.toFixed(2)} s): ${(plain / greedy).toFixed(0)}× as long`,
);
console.log(
  `  held: targets and residual ${mebibytes(2 * tokens.target.values.byteLength)} MiB, codes by token and by latent ${mebibytes(codes)} MiB; ` +
    `peak of the process ${mebibytes(process.resourceUsage().maxRSS * 1024)} MiB`,
);

/** Unit directions, of which each odd one is a rough copy of the one before. */
function candidates() {
  const sae = syntheticSae(1, d, latents, active);
  const { values } = sae.decoder;
  for (let id = 1; id < latents; id += 2) {
    const copied = values.subarray((id - 1) * d, id * d);
    for (let c = 0; c < d; c++) values[id * d + c] = 0.8 * copied[c] + 0.6 * values[id * d + c];
  }
  return sae;
}

/** Tokens on which pairs of latents fire, each with its copy three times in four; noise and the even ones make the target. */
async function writtenTokens() {
  const pairs = Math.round(active / 1.75);
  const indices = [];
  const values = [];
  const isWritten = [];
  const offsets = new Int32Array(n + 1);
  for (let i = 0; i < n; i++) {
    const fired = new Set();
    // Squaring makes low pairs frequent and high ones rare.
    while (fired.size < pairs) fired.add(2 * Math.floor(random() ** 2 * (latents / 2)));
    for (const id of [...fired].sort((a, b) => a - b)) {
      const f = 0.5 + random();
      indices.push(id);
      values.push(f);
      isWritten.push(1);
      if (random() > 0.75) continue;
      indices.push(id + 1);
      values.push(f * (0.6 + 0.4 * random()));
      isWritten.push(0);
    }
    offsets[i + 1] = indices.length;
  }
  const code = {
    rows: n,
    columns: latents,
    offsets,
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  };
  const written = { ...code, values: code.values.map((f, entry) => (isWritten[entry] ? f : 1e-9)) };
  const noise = randomMatrix(random, n, d, 0.3 / Math.sqrt(d));
  const target = await kernels.decode(written, pool.directions, noise, 1);
  return { target, outputScale: new Float32Array(n).fill(1), code, documents: new Int32Array(n) };
}

function seconds(run) {
  const begin = performance.now();
  run();
  return (performance.now() - begin) / 1000;
}

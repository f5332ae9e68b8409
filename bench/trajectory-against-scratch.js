// The error after every step of a trajectory, against evaluating every tenth step from scratch. Both ours, same kernels and codes.
// From scratch means decoding the dictionary of that step from codes already stored: nothing is encoded again. A dozen of those
// evaluations are made and compared with the trajectory, and their mean time stands for all of them. Aim: at least 50 ×.
//
// Sizes can be changed: TOKENS=2000 WIDTH=128 SMALLER=512 LARGER=2048 ACTIVE=20 EVALUATIONS=12 node bench/trajectory-against-scratch.js
import {
  makePlan,
  mapBatches,
  measureTrajectory,
  plannedSae,
  residual,
  rowRange,
  seededRandom,
  stretchRows,
  trajectory,
  zeros,
} from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { randomMatrix, syntheticSae } from "./synthetic.js";

const size = (name, otherwise) => Number(process.env[name] ?? otherwise);
const tokens = size("TOKENS", 50_000);
const d = size("WIDTH", 768);
const active = size("ACTIVE", 40);
const evaluations = size("EVALUATIONS", 12);
const [smaller, larger] = [size("SMALLER", 6144), size("LARGER", 24_576)].map((latents, s) =>
  syntheticSae(s + 1, d, latents, active),
);
const random = seededRandom(3);
const x = randomMatrix(random, tokens, d);
const batchRows = stretchRows(d);
const stored = Array.from({ length: Math.ceil(tokens / batchRows) }, (_, b) => {
  const start = b * batchRows;
  const end = Math.min(start + batchRows, tokens);
  const codes = [smaller, larger].map((sae) => randomCode(end - start, sae.decoder.rows));
  return { start, end, activations: rowRange(x, start, end), codes };
});
const { steps } = makePlan(
  { smaller: plannedSae(smaller), larger: plannedSae(larger) },
  randomFamilies(smaller.decoder.rows, larger.decoder.rows),
  { kind: "random", random },
);
const kernels = await openKernels();

const ours = await timed(async () => {
  const sums = await measureTrajectory(codedSample(), steps, kernels);
  return trajectory({ smaller, larger, steps }, sums).path.mse;
});
const everyTenth = Math.floor(steps.length / 10);
const sampled = Array.from(
  { length: evaluations },
  (_, e) => Math.floor(((e + 1) * everyTenth) / evaluations) * 10,
);
let scratchSeconds = 0;
let difference = 0;
for (const step of sampled) {
  const scratch = await timed(() => errorFromScratch(step));
  scratchSeconds += scratch.seconds / evaluations;
  difference = Math.max(difference, Math.abs(ours.result[step] - scratch.result) / scratch.result);
}
await kernels.close();

const all = scratchSeconds * everyTenth;
console.log(
  `${smaller.decoder.rows} → ${larger.decoder.rows} latents in ${steps.length} steps, ${tokens} tokens of width ${d} with ${active} active per SAE, ${kernels.name}`,
);
console.log(`  trajectory, all ${steps.length} steps       ${ours.seconds.toFixed(2)} s`);
console.log(
  `  one step from scratch            ${scratchSeconds.toFixed(2)} s, mean of ${evaluations} spread over the plan`,
);
console.log(`  every tenth step, ${everyTenth} of them   ${all.toFixed(0)} s, extrapolated from that mean`);
console.log(`  ratio                            ${(all / ours.seconds).toFixed(0)}×`);
console.log(`  largest relative difference of the MSE  ${difference.toExponential(1)}`);

async function timed(run) {
  const start = performance.now();
  const result = await run();
  return { result, seconds: (performance.now() - start) / 1000 };
}

/** Codes as a store would hold them, in the contract that trajectories read. */
function codedSample() {
  return {
    location: "random codes",
    d,
    rows: tokens,
    saes: [smaller, larger],
    async *batches() {
      for (const { codes, activations, ...stretch } of stored) {
        const own = zeros(activations.rows, d);
        own.values.set(activations.values);
        yield { ...stretch, activations: own, codes: codes.map(contribute), excluded: 0, nonFinite: 0 };
      }
    },
  };
}

/** MSE of the dictionary after `step` steps. */
async function errorFromScratch(step) {
  const isIn = [new Uint8Array(smaller.decoder.rows).fill(1), new Uint8Array(larger.decoder.rows)];
  for (const { remove, insert } of steps.slice(0, step)) {
    for (const latent of remove) isIn[0][latent] = 0;
    for (const latent of insert) isIn[1][latent] = 1;
  }
  const errors = mapBatches(stored, async ({ activations, codes }) => {
    const [kept, entered] = codes.map((code, s) => only(code, isIn[s]));
    const withoutEntered = await residual(smaller, activations, contribute(kept), kernels);
    const { values } = await kernels.decode(entered, larger.decoder, withoutEntered, -1);
    let sse = 0;
    for (let at = 0; at < values.length; at++) sse += values[at] * values[at];
    return sse;
  });
  let total = 0;
  for await (const sse of errors) total += sse;
  return total / tokens / d;
}

function contribute(contributions) {
  return { contributions, outputScale: undefined, outputShift: undefined };
}

/** The entries of the latents that `isIn` marks. */
function only(code, isIn) {
  const offsets = sharedInt32(code.rows + 1);
  const indices = sharedInt32(code.indices.length);
  const values = zeros(1, code.values.length).values;
  let count = 0;
  for (let i = 0; i < code.rows; i++) {
    for (let e = code.offsets[i]; e < code.offsets[i + 1]; e++) {
      if (isIn[code.indices[e]] === 0) continue;
      indices[count] = code.indices[e];
      values[count++] = code.values[e];
    }
    offsets[i + 1] = count;
  }
  return { ...code, offsets, indices: indices.subarray(0, count), values: values.subarray(0, count) };
}

/** `active` latents for each row, one out of each of as many equal stretches of the latents. */
function randomCode(rows, columns) {
  const offsets = sharedInt32(rows + 1);
  const indices = sharedInt32(rows * active);
  const { values } = zeros(rows, active);
  const stretch = Math.floor(columns / active);
  for (let i = 0; i <= rows; i++) offsets[i] = i * active;
  for (let e = 0; e < indices.length; e++) {
    indices[e] = (e % active) * stretch + Math.floor(random() * stretch);
    values[e] = random();
  }
  return { rows, columns, offsets, indices, values };
}

/** Every smaller latent with two of the larger while there are enough, the rest novel. */
function randomFamilies(mSmaller, mLarger) {
  const inFamilies = Math.min(mSmaller, Math.floor(mLarger / 2));
  const families = Array.from({ length: mSmaller }, (_, j) => ({
    smaller: [j],
    larger: j < inFamilies ? [2 * j, 2 * j + 1] : [],
  }));
  for (let latent = 2 * inFamilies; latent < mLarger; latent++)
    families.push({ smaller: [], larger: [latent] });
  return families;
}

/** Int32 values that worker threads read without a copy. */
function sharedInt32(length) {
  return new Int32Array(new SharedArrayBuffer(4 * length));
}

// Tokens per second of training against dictionary_learning and sae-lens, on the same machine, kind of data and number of threads, one
// after the other; peak memory of each in a process of its own. The peers run where $SAESTITCH_PEERS_PYTHON names a Python that has
// bench/peers/requirements.txt; without it only our own figures are printed.
// Sizes by environment: D, WIDTHS, KINDS (batchtopk,topk,relu,relu-sparse), K, BATCH, STEPS (timed), THREADS.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  activationsInMemory,
  defaultTrainingOptions,
  matrix,
  normal,
  randomDirection,
  seededRandom,
  startTraining,
  trainSteps,
} from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";

const size = (name, fallback) => Number(process.env[name] ?? fallback);
const list = (name, fallback) => (process.env[name] ?? fallback).split(",");
const [d, k, batchRows, steps, threads] = [
  size("D", 768),
  size("K", 32),
  size("BATCH", 4096),
  size("STEPS", 3),
  size("THREADS", 2),
];
const warmUp = 2;

if (process.argv[2] === "--measure") {
  console.log(JSON.stringify(await measure(process.argv[3], Number(process.argv[4]))));
} else {
  compare();
}

function compare() {
  console.log(
    `training steps, d = ${d}, k = ${k}, batches of ${batchRows}, ${threads} threads; median of ${steps} steps`,
  );
  for (const kind of list("KINDS", "batchtopk,topk,relu,relu-sparse"))
    for (const latents of list("WIDTHS", "3072,12288,24576").map(Number)) {
      const own = JSON.parse(
        run(process.execPath, [fileURLToPath(import.meta.url), "--measure", kind, String(latents)]),
      );
      const peers = measurePeers(kind, latents);
      print("saestitch", kind, latents, own);
      for (const peer of peers) print(peer.library, kind, latents, peer);
      if (peers.length === 0) continue;
      const fastest = Math.max(...peers.map(({ tokensPerSecond }) => tokensPerSecond));
      console.log(
        `  ${kind} ${latents}: ${(own.tokensPerSecond / fastest).toFixed(2)}× the faster of the two`,
      );
    }
}

function print(who, kind, latents, { tokensPerSecond, peakMebibytes, l0 }) {
  console.log(
    `  ${who.padEnd(20)} ${kind.padEnd(12)} ${String(latents).padStart(6)} latents  ${tokensPerSecond.toFixed(0).padStart(7)} tokens/s  ` +
      `${(1e6 / tokensPerSecond).toFixed(0).padStart(5)} µs a token  ${peakMebibytes.toFixed(0).padStart(6)} MiB at most${l0 === undefined ? "" : `  L0 ${l0.toFixed(0)}`}`,
  );
}

function run(program, given) {
  const { status, stdout, stderr } = spawnSync(program, given, {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    env: withoutBlasSettings(),
  });
  if (status !== 0) throw new Error(`${program} ${given.join(" ")} failed: ${stderr}`);
  return stdout;
}

/** Settings that hold a BLAS back from the instructions of the machine would make the comparison unfair. */
function withoutBlasSettings() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("OPENBLAS_")));
}

function measurePeers(kind, latents) {
  const python = process.env.SAESTITCH_PEERS_PYTHON;
  if (python === undefined) return [];
  const script = fileURLToPath(new URL("peers/train_speed.py", import.meta.url));
  const given = {
    kinds: kind,
    widths: latents,
    d,
    k,
    rows: batchRows,
    timed: steps,
    threads,
    "warm-up": warmUp,
  };
  const lines = run(python, [
    script,
    ...Object.entries(given).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ]);
  return lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map((line) => ({
      library: line.library,
      tokensPerSecond: line.tokens_per_second,
      peakMebibytes: line.peak_mib,
      l0: line.l0,
    }));
}

async function measure(kind, latents) {
  const kernels = await openKernels({ threads });
  const source = activationsInMemory(sparseCombinations(4 * batchRows));
  const architecture = kind.startsWith("relu") ? { kind: "relu", l1: 0.05, l1WarmUpSteps: 0 } : { kind, k };
  const options = defaultTrainingOptions(architecture, {
    d,
    latents,
    steps: 1_000_000,
    batchRows,
  });
  const run = await startTraining(source, [options], { batchRows });
  if (kind === "relu-sparse") await lowerBiases(run, source, kernels);
  const seconds = [];
  let l0;
  let before = performance.now();
  for await (const [report] of trainSteps(run, source, kernels)) {
    const now = performance.now();
    seconds.push((now - before) / 1000);
    before = now;
    l0 = report.l0;
    if (seconds.length === warmUp + steps) break;
  }
  await kernels.close();
  const timed = seconds.slice(warmUp).sort((a, b) => a - b);
  return {
    tokensPerSecond: batchRows / timed[Math.floor(timed.length / 2)],
    peakMebibytes: process.resourceUsage().maxRSS / 1024,
    l0,
  };
}

/** Encoder biases at which every latent fires on the same share of the rows, `k` latents for a row. */
async function lowerBiases({ trainees: [{ state }], inputScale }, source, kernels) {
  const { encoder, encoderBias, decoderBias } = state.parameters;
  const m = encoder.weights.rows;
  const rows = 1024;
  for await (const { activations } of source.batches({ end: rows, batchRows: rows })) {
    const centred = activations.values.map(
      (value, at) => value * inputScale - decoderBias.weights.values[at % d],
    );
    // Each latent's row matched with the tokens: the few tokens it is largest on tell its threshold.
    const kept = Math.max(1, Math.round((k / m) * rows));
    const { values, offsets } = await kernels.encode(
      encoder.weights,
      matrix(rows, d, centred),
      new Float32Array(rows),
      { kind: "top", count: kept },
    );
    for (let j = 0; j < m; j++)
      encoderBias.weights.values[j] = -Math.min(...values.subarray(offsets[j], offsets[j + 1]), 1e9);
  }
}

/** Sums of 40 of 4 d random directions with exponentially distributed strengths, and noise: what the peers are timed on. */
function sparseCombinations(rows) {
  const random = seededRandom(0);
  const directions = new Float32Array(4 * d * d);
  for (let j = 0; j < 4 * d; j++) randomDirection(random, directions.subarray(j * d, (j + 1) * d));
  const values = new Float32Array(rows * d);
  for (let i = 0; i < rows; i++) {
    for (let term = 0; term < 40; term++) {
      const first = Math.floor(4 * d * random()) * d;
      const strength = -Math.log(1 - random());
      for (let c = 0; c < d; c++) values[i * d + c] += strength * directions[first + c];
    }
    for (let c = 0; c < d; c++) values[i * d + c] += 0.05 * normal(random);
  }
  return matrix(rows, d, values);
}

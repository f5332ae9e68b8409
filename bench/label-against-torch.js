// `label` end to end against a PyTorch script that does the same one-pass formula, on the same files, machine and threads. Both sides
// read two SAEs and a sample from disk and give the columns of every latent; they lie ready in processes of their own and take turns.
// Needs SAESTITCH_PEERS_PYTHON; see bench/peers/README.md. Build first, then:
// node bench/label-against-torch.js [--quick] [--threads 2] [--rounds 3] [--tokens N] [--json FILE]
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { encodeSafetensors, label, saeWriters, seededRandom } from "@saestitch/core";
import { openActivations, openKernels, readSae, writeAtomically } from "@saestitch/core/node";
import { median } from "./peers/compare-case.js";
import { allocators, peersPython, startTorch } from "./peers/torch-process.js";
import { randomMatrix, syntheticSae } from "./synthetic.js";

/** @import { Kernels, Labels } from "@saestitch/core" */

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "3" },
    tokens: { type: "string" },
    json: { type: "string" },
  },
});
const sizes = given.quick
  ? { d: 128, host: 1024, donor: 4096, l0: 24, tokens: 8192 }
  : { d: 768, host: 6144, donor: 24_576, l0: 40, tokens: 65_536 };
if (given.tokens !== undefined) sizes.tokens = Number(given.tokens);
const aim = 1.5;
const python = peersPython();
if (python !== undefined) await compare(python, Number(given.threads), Number(given.rounds));

/** @param {string} python @param {number} threads @param {number} rounds */
async function compare(python, threads, rounds) {
  const folder = mkdtempSync(join(tmpdir(), "saestitch-bench-"));
  const load = loadavg()[0];
  const kernels = await openKernels({ threads });
  const peers = Object.keys(allocators).map((allocator) => ({
    allocator,
    ...startTorch(python, "torch_label.py", { threads, allocator }),
  }));
  try {
    const { d, host, donor, l0, tokens } = sizes;
    const what = `labelling ${tokens} tokens of width ${d} from disk, ${host} → ${donor} latents, L0 ${l0}`;
    console.log(`${what}, ${threads} threads; load average ${load.toFixed(2)}`);
    await writeInputs(folder);
    await labelOnce(folder, kernels);
    /** @type {number[]} */
    const batches = [];
    for (const peer of peers)
      batches.push((await peer.ask({ do: "prepare", folder, rows: Math.min(8192, sizes.tokens) })).batch);

    const own = { name: kernels.name, seconds: /** @type {number[]} */ ([]) };
    const torch = peers.map(({ allocator }, at) => ({
      allocator,
      batchRows: batches[at],
      seconds: /** @type {number[]} */ ([]),
    }));
    let labels;
    for (let round = 0; round < rounds; round++) {
      await pause(200);
      const { seconds, labels: found } = await labelOnce(folder, kernels);
      own.seconds.push(seconds);
      labels = found;
      for (const [at, peer] of peers.entries()) {
        await pause(200);
        torch[at].seconds.push((await peer.ask({ do: "label", folder })).seconds);
      }
    }
    const differences = compareLabels(labels, folder);

    console.log(`  ${kernels.name.padEnd(32)} ${spread(own.seconds)}`);
    for (const { allocator, batchRows, seconds } of torch) {
      const ratio = median(seconds) / median(own.seconds);
      const verdict = ratio >= aim ? "met" : `missed by ${(100 * (1 - ratio / aim)).toFixed(0)} %`;
      const judged = given.quick ? "" : ` (aim ≥ ${aim}×: ${verdict})`;
      console.log(
        `  ${`PyTorch, ${allocator}`.padEnd(32)} ${spread(seconds)}, ${batchRows} rows a batch: ours ${ratio.toFixed(2)}× as fast${judged}`,
      );
    }
    console.log(`  both give the same; largest differences: ${JSON.stringify(differences)}`);
    if (given.json !== undefined) {
      const machine = `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`;
      const date = new Date().toISOString();
      const record = { date, machine, load, threads, ...sizes, aim, own, torch, differences };
      writeFileSync(given.json, `${JSON.stringify(record, null, 1)}\n`);
    }
  } finally {
    await kernels.close();
    for (const peer of peers) await peer.close();
    rmSync(folder, { recursive: true });
  }
}

/** Two SAEs as SAELens writes them, and a sample. */
async function writeInputs(/** @type {string} */ folder) {
  const { d, host, donor, l0, tokens } = sizes;
  const saes = { smaller: syntheticSae(1, d, host, l0), larger: syntheticSae(2, d, donor, l0) };
  for (const [name, sae] of Object.entries(saes)) {
    for (const file of saeWriters[0].write(sae)) {
      const path = join(folder, name, file.name);
      mkdirSync(dirname(path), { recursive: true });
      await writeAtomically(path, file.chunks);
    }
  }
  const { values } = randomMatrix(seededRandom(3), tokens, d);
  await writeAtomically(
    join(folder, "activations.safetensors"),
    encodeSafetensors([{ name: "activations", dtype: "F32", shape: [tokens, d], values }]),
  );
}

/** @param {string} folder @param {Kernels} kernels */
async function labelOnce(folder, kernels) {
  const start = performance.now();
  const [smaller, larger] = [await readSae(join(folder, "smaller")), await readSae(join(folder, "larger"))];
  const source = await openActivations(join(folder, "activations.safetensors"));
  const labels = await label(smaller, larger, source, kernels);
  await source.close();
  return { labels, seconds: (performance.now() - start) / 1000 };
}

/**
 * Largest differences of the columns, relative to the largest number of the column where it has a unit. Throws when both sides do not
 * say the same: cosines and correlations to 1e-5, all else to 1e-4.
 *
 * @param {Labels} labels @param {string} folder
 */
function compareLabels({ latents, smaller, larger }, folder) {
  const theirs = (/** @type {string} */ name) => {
    const bytes = readFileSync(join(folder, `torch-${name}.f64`));
    return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  };
  const sums = [smaller.mse, larger.mse, smaller.l0, larger.l0];
  const relative = { deltaMse: latents.deltaMse, standardError: latents.standardError, sums };
  const absolute = { cosine: latents.cosine, agreement: latents.agreement };
  const differences = {};
  for (const [name, own] of Object.entries(relative)) differences[name] = difference(own, theirs(name), true);
  for (const [name, own] of Object.entries(absolute))
    differences[name] = difference(own, theirs(name), false);
  const limits = { deltaMse: 1e-4, standardError: 1e-4, sums: 1e-4, cosine: 1e-5, agreement: 1e-5 };
  for (const [name, limit] of Object.entries(limits)) {
    if (!(differences[name] <= limit))
      throw new Error(
        `${name}: ours and PyTorch's differ by ${differences[name]}; they must agree to ${limit}`,
      );
  }
  return differences;
}

function difference(own, theirs, relative) {
  let [most, largest] = [0, 0];
  for (let j = 0; j < own.length; j++) {
    // Both are NaN where a latent never fires.
    if (!Number.isNaN(own[j]) || !Number.isNaN(theirs[j]))
      most = Math.max(most, Math.abs(own[j] - theirs[j]));
    largest = Math.max(largest, Math.abs(own[j]) || 0);
  }
  return relative ? most / largest : most;
}

/** @param {number[]} seconds */
function spread(seconds) {
  return `${median(seconds).toFixed(2)} s [${Math.min(...seconds).toFixed(2)} … ${Math.max(...seconds).toFixed(2)}]`;
}

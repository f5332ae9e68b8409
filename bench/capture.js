// Reading activations out of a model: `captureToFolder` (tokenizing, running, storing) against `transformers` on PyTorch, on the same model
// with random weights, the same tokens, cores and batches. Also the share of the time outside ONNX Runtime, peak memory, and bytes per token.
// Needs SAESTITCH_PEERS_PYTHON with bench/peers/capture-requirements.txt. Build first, then:
// node bench/capture.js [--quick] [--threads 2] [--rounds 3] [--json FILE]
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { seededRandom } from "@saestitch/core";
import { tokenBatches, tokenWindows } from "@saestitch/models";
import { captureToFolder, openModel, openText, openTokenizerAt } from "@saestitch/models/node";
import { median } from "./peers/compare-case.js";
import { peersPython, startTorch } from "./peers/torch-process.js";

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "3" },
    json: { type: "string" },
    // How the process that measures memory is told what to capture.
    memory: { type: "string" },
  },
});

/** GPT-2 small, or something of its shape that takes seconds. */
const config = given.quick
  ? { n_layer: 4, n_embd: 128, n_head: 4, vocab_size: 50_257 }
  : { n_layer: 12, n_embd: 768, n_head: 12, vocab_size: 50_257 };
const block = given.quick ? 3 : 8;
const context = 128;
const batchTokens = 2048;
const tokens = given.quick ? 20_480 : 40_960;
const hookName = `blocks.${block}.hook_resid_pre`;
const tokenizerFolder = fileURLToPath(new URL("../fixtures/models/gpt2-optimum", import.meta.url));

if (given.memory !== undefined) await measureMemory(JSON.parse(given.memory));
else {
  const python = peersPython();
  if (python !== undefined) await compare(python, Number(given.threads), Number(given.rounds));
}

/** @param {string} python @param {number} threads @param {number} rounds */
async function compare(python, threads, rounds) {
  const folder = mkdtempSync(join(tmpdir(), "saestitch-bench-"));
  const load = loadavg()[0];
  const peer = startTorch(python, "transformers_capture.py", { threads });
  try {
    const { parameters, torch, transformers } = await peer.ask({ do: "export", folder, config });
    for (const name of ["tokenizer.json", "tokenizer_config.json"])
      copyFileSync(join(tokenizerFolder, name), join(folder, name));
    const text = join(folder, "corpus.txt");
    writeFileSync(text, madeUpText(tokens * 8));
    await writeWindows(folder, text);
    console.log(
      `${tokens} tokens in contexts of ${context}, ${hookName}, ${(parameters / 1e6).toFixed(0)} million parameters, ${threads} threads; ` +
        `torch ${torch}, transformers ${transformers}; load average ${load.toFixed(2)}`,
    );
    const own = /** @type {number[]} */ ([]);
    const bare = /** @type {number[]} */ ([]);
    const peers = { whole: /** @type {number[]} */ ([]), cut: /** @type {number[]} */ ([]) };
    let bytesPerToken = 0;
    for (let round = 0; round < rounds; round++) {
      const captured = await captureOnce(folder, text, { threads, tokens, name: `acts-${round}` });
      own.push(captured.seconds);
      bytesPerToken = captured.bytesPerToken;
      bare.push(await runOnce(folder, text, threads));
      for (const way of /** @type {const} */ (["whole", "cut"]))
        peers[way].push(
          (await peer.ask({ do: "capture", folder, block, way, rows: batchTokens / context })).seconds,
        );
    }
    const rate = (/** @type {number[]} */ seconds) => Math.round(tokens / median(seconds));
    console.log(`  saestitch capture             ${rate(own)} tokens/s, tokenizing and storing counted`);
    for (const [way, what] of /** @type {const} */ ([
      ["whole", "transformers, whole model"],
      ["cut", "transformers, model cut   "],
    ]))
      console.log(
        `  ${what}    ${rate(peers[way])} tokens/s; ours ${(median(peers[way]) / median(own)).toFixed(2)}× (aim ≥ 1)`,
      );
    console.log(`  ONNX Runtime alone            ${rate(bare)} tokens/s, batches lying ready`);
    const outside = 1 - median(bare) / median(own);
    console.log(`  outside ONNX Runtime          ${(100 * outside).toFixed(1)} % of the time (aim ≤ 10 %)`);
    console.log(
      `  written                       ${bytesPerToken.toFixed(0)} bytes per token (float16, d = ${config.n_embd})`,
    );
    const memory = [1, 2, 4].map((times) => ({
      tokens: times * (tokens / 4),
      mebibytes: memoryOf({ folder, text, threads, tokens: times * (tokens / 4) }),
    }));
    console.log(
      `  peak memory of the process    ${memory.map((one) => `${one.mebibytes} MiB for ${one.tokens}`).join(", ")} tokens`,
    );
    if (given.json !== undefined) {
      const record = { date: new Date().toISOString(), config, block, tokens, threads, torch, transformers };
      writeFileSync(
        given.json,
        `${JSON.stringify({ ...record, seconds: { own, bare, ...peers }, outside, bytesPerToken, memory }, null, 1)}\n`,
      );
    }
  } finally {
    await peer.close();
    rmSync(folder, { recursive: true });
  }
}

/** Words of made-up text, as many letters as `length` says: what is said does not matter to random weights. */
function madeUpText(/** @type {number} */ length) {
  const random = seededRandom(5);
  const words = Array.from({ length: 2000 }, () =>
    Array.from(
      { length: 2 + Math.floor(random() * 7) },
      () => "etaoinshrdlucmfw"[Math.floor(random() * 16)],
    ).join(""),
  );
  let text = "";
  while (text.length < length) text += `${words[Math.floor(random() ** 2 * words.length)]} `;
  return text;
}

/** @param {string} text @param {number} limit */
async function* windowsOf(text, limit) {
  const source = await openText(text, { split: "document" });
  const tokenizer = await openTokenizerAt(tokenizerFolder);
  yield* tokenWindows(source.documents(), tokenizer, { context, bos: true, arrangement: "packed", limit });
}

/** The windows for the other side, which does not tokenize. */
async function writeWindows(/** @type {string} */ folder, /** @type {string} */ text) {
  const windows = [];
  for await (const { tokenIds } of windowsOf(text, tokens)) windows.push(tokenIds);
  const all = new Int32Array(windows.length * context);
  for (const [i, ids] of windows.entries()) all.set(ids, i * context);
  writeFileSync(join(folder, "windows.i32"), all);
  writeFileSync(join(folder, "windows.json"), JSON.stringify([windows.length, context]));
}

/** @param {string} folder @param {string} text @param {{ threads: number, tokens: number, name: string }} options */
async function captureOnce(folder, text, { threads, tokens, name }) {
  const { model } = await openModel(folder, { threads });
  const hook = await model.findHook(hookName);
  const tokenizer = await openTokenizerAt(tokenizerFolder);
  const source = await openText(text, { split: "document" });
  const started = performance.now();
  const { bytesPerToken } = await captureToFolder(
    join(folder, name),
    { model, hook, tokenizer, text: source, hashes: { model: "", tokenizer: "", text: [] } },
    { context, bos: true, arrangement: "packed", limit: tokens, batchTokens },
  );
  const seconds = (performance.now() - started) / 1000;
  await model.close();
  rmSync(join(folder, name), { recursive: true });
  return { seconds, bytesPerToken };
}

/** The model alone on the same batches, which lie ready. */
async function runOnce(
  /** @type {string} */ folder,
  /** @type {string} */ text,
  /** @type {number} */ threads,
) {
  const { model } = await openModel(folder, { threads });
  const hook = await model.findHook(hookName);
  const batches = [];
  for await (const { batch } of tokenBatches(windowsOf(text, tokens), { batchTokens })) batches.push(batch);
  const started = performance.now();
  for (const batch of batches) await model.activations(hook, batch);
  const seconds = (performance.now() - started) / 1000;
  await model.close();
  return seconds;
}

/** Peak memory in MiB of a process that captures; what it is told is its only argument. */
function memoryOf(/** @type {object} */ told) {
  const words = [
    fileURLToPath(import.meta.url),
    "--memory",
    JSON.stringify(told),
    ...(given.quick ? ["--quick"] : []),
  ];
  const { stdout } = spawnSync(process.execPath, words, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return Number(stdout);
}

async function measureMemory({ folder, text, threads, tokens }) {
  await captureOnce(folder, text, { threads, tokens, name: "memory" });
  console.log(Math.round(process.resourceUsage().maxRSS / 1024));
}

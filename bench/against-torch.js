// The operations of the kernels against PyTorch on the same machine, numbers and threads. Both sides lie ready in processes of their own
// and take turns, round by round, never at the same time; medians over the rounds, with the fastest and the slowest.
// Needs SAESTITCH_PEERS_PYTHON; see bench/peers/README.md. Build first, then:
// node bench/against-torch.js [--quick] [--only NAME,…] [--threads 1,2] [--rounds 5] [--json FILE]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openKernels } from "@saestitch/core/node";
import { compareOnce, timeCase } from "./peers/compare-case.js";
import { buildPeak } from "./peers/fma-peak.js";
import { listCases, openInputs } from "./peers/kernel-cases.js";
import { measureInChild, memoryBeyondInputs } from "./peers/peak-memory.js";
import * as table from "./peers/tables.js";
import { allocators, peersPython, startTorch } from "./peers/torch-process.js";

const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string" },
    json: { type: "string" },
    // How the process that measures memory is told what to measure.
    memory: { type: "string" },
  },
});

if (given.memory !== undefined) {
  console.log(JSON.stringify(await memoryBeyondInputs(JSON.parse(given.memory))));
} else {
  const python = peersPython();
  if (python !== undefined) await compare(python);
}

/** @param {string} python */
async function compare(python) {
  const { quick } = given;
  const options = { rounds: Number(given.rounds ?? (quick ? 2 : 5)), atLeast: quick ? 0.02 : 0.2 };
  const wanted = (/** @type {string} */ name) =>
    given.only === undefined || given.only.split(",").some((start) => name.startsWith(start));
  const cases = listCases({ quick }).filter(({ name }) => wanted(name));
  const load = loadavg()[0];
  const folder = mkdtempSync(join(tmpdir(), "saestitch-bench-"));
  /** @type {Record<string, any>} */
  const record = {
    date: new Date().toISOString(),
    machine: machine(),
    ...options,
    quick,
    rows: [],
    memory: [],
  };
  const save = () => given.json && writeFileSync(given.json, `${JSON.stringify(record, null, 1)}\n`);
  try {
    const peak = buildPeak(folder);
    console.log(
      `${record.machine}; medians of ${options.rounds} rounds [fastest … slowest]; load average ${load.toFixed(2)}\n`,
    );
    table.printTimingHead();
    for (const threads of given.threads.split(",").map(Number)) {
      const engines = await openEngines(threads);
      const peers = Object.keys(allocators).map((allocator) => ({
        allocator,
        ...startTorch(python, "torch_kernels.py", { threads, allocator }),
      }));
      record.torch = await peers[0].ask({ do: "environment" });
      for (const one of cases) {
        await compareOnce(one, engines, peers[0], folder);
        const rows = await timeCase(one, { threads, engines, peers, peak, folder, ...options });
        for (const row of rows) table.printTiming(row);
        record.rows.push(...rows);
        save();
      }
      if (wanted("memory")) record.memory.push(...(await measureMemory(threads, engines, peers[0], folder)));
      save();
      for (const { kernels } of engines) await kernels.close();
      for (const peer of peers) await peer.close();
    }
    table.printProducts(record.rows);
    table.printMemory(record.memory);
    table.printRemarks(record.rows);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The fastest kernels that run here, and WebAssembly where that is another engine. */
async function openEngines(/** @type {number} */ threads) {
  const engineOf = ({ name }) => name.split(/[ ,]/)[0];
  const best = await openKernels({ threads });
  const engines = [{ engine: engineOf(best), name: best.name, kernels: best }];
  if (engines[0].engine !== "wasm") {
    const wasm = await openKernels({ threads, engine: "wasm" });
    if (engineOf(wasm) === "wasm") engines.push({ engine: "wasm", name: wasm.name, kernels: wasm });
    else await wasm.close();
  }
  return engines;
}

/** Memory of both sides at the largest encoder. */
async function measureMemory(threads, engines, peer, folder) {
  const all = listCases(given).filter(({ op }) => op.startsWith("encode-"));
  const largest = Math.max(...all.map(({ shape: { d, m } }) => d * m));
  const rows = [];
  for (const one of all.filter(({ shape: { d, m } }) => d * m === largest)) {
    const { message } = openInputs(one, folder);
    const formulation = one.op === "encode-top" ? "addmm, topk" : "addmm, nonzero";
    const torch = await peer.ask({ do: "memory", formulation, ...message });
    await peer.ask({ do: "release" });
    for (const { engine } of engines) {
      const own = measureInChild(fileURLToPath(import.meta.url), { case: one, folder, threads, engine });
      rows.push({
        what: one.what,
        threads,
        engine,
        mebibytes: own.mebibytes,
        torch: { formulation, mebibytes: torch.kibibytes / 1024 },
      });
    }
  }
  return rows;
}

function machine() {
  return `${cpus()[0].model}, ${cpus().length} cores, Node ${process.version}`;
}

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openInputs, ownOperation } from "./kernel-cases.js";
import { readInput } from "./kernel-inputs.js";

/** Threads of the other side may still be looking for work for a while after an answer. */
const silence = 100;

const checked = new Set();

/** Throw unless every engine and every formulation give the same numbers on a small case, to 1e-5 of 1 + |number|. */
export async function compareOnce({ op, check }, engines, peer, folder) {
  const key = `${op} ${JSON.stringify(check)} ${engines.map(({ name }) => name)}`;
  // Ours keeps nothing of the product alone, so there is nothing to compare.
  if (op === "product" || checked.has(key)) return;
  const small = { op, shape: check };
  const { message, arrays } = openInputs(small, folder);
  const out = join(folder, "checked");
  mkdirSync(out, { recursive: true });
  const { results } = await peer.ask({ do: "check", folder: out, ...message });
  for (const { name, kernels } of engines) {
    const own = ownOperation(small, arrays, kernels);
    own.begin();
    const numbers = own.numbers(await own.call());
    for (const { formulation, path } of results) {
      const theirs = readInput({ path, kind: "float32", shape: [numbers.length] });
      const worst = numbers.reduce(
        (most, value, at) => Math.max(most, Math.abs(value - theirs[at]) / (1 + Math.abs(value))),
        0,
      );
      if (!(worst <= 1e-5))
        throw new Error(
          `${op}: ${name} and PyTorch (${formulation}) differ by ${worst}; they must agree to 1e-5`,
        );
    }
  }
  rmSync(out, { recursive: true });
  checked.add(key);
}

/**
 * Seconds of every engine and of PyTorch under every allocator, turn by turn; one row per engine. `peak`, of the product alone, gives
 * the machine's floating-point rate in each round too.
 */
export async function timeCase(one, { threads, engines, peers, peak, folder, rounds, atLeast }) {
  const { message, arrays } = openInputs(one, folder);
  const sides = [];
  for (const { engine, name, kernels } of engines) {
    const own = ownOperation(one, arrays, kernels);
    own.begin();
    const entries = own.entries(await own.call());
    sides.push({ engine, name, entries, seconds: [], time: () => secondsOf(own, atLeast) });
  }
  for (const peer of peers) {
    const { formulation, seconds, entries } = await peer.ask({ do: "prepare", atLeast, ...message });
    const time = async () => (await peer.ask({ do: "time", atLeast })).seconds;
    sides.push({ allocator: peer.allocator, formulation, formulations: seconds, entries, seconds: [], time });
  }
  const rates = [];
  for (let round = 0; round < rounds; round++) {
    // Whoever is first finds the machine cooler: it is another one every other round.
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      await pause(silence);
      side.seconds.push(await side.time());
    }
    if (one.op === "product" && peak !== undefined) rates.push(peak(threads).gflops);
  }
  for (const peer of peers) await peer.ask({ do: "release" });
  const torch = sides.filter(({ allocator }) => allocator !== undefined).map(({ time, ...side }) => side);
  const { name, op, what, shape, aims } = one;
  return sides
    .filter(({ engine }) => engine !== undefined)
    .map(({ time, ...own }) => ({
      case: name,
      op,
      what,
      shape,
      threads,
      aim: aimOf(aims, own.engine),
      own,
      torch,
      peak: rates,
    }));
}

function aimOf(aims, engine) {
  return engine === "wasm" ? aims.wasm : aims.native;
}

/** Median over calls that together take `atLeast` seconds. */
async function secondsOf({ begin, call }, atLeast) {
  begin();
  const taken = [];
  for (let total = 0; total < atLeast; total += taken.at(-1)) {
    const start = performance.now();
    await call();
    taken.push((performance.now() - start) / 1000);
  }
  return median(taken);
}

/** @param {number[]} numbers */
export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

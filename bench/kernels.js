// Rates of the kernels on this machine. Build first (`npm run build`), then: node bench/kernels.js [--quick]
import { cpus } from "node:os";
import { referenceKernels, seededRandom, zeros } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";

/** @import { Kernels, Matrix, SparseCode } from "@saestitch/core" */

const quick = process.argv.includes("--quick");
const repeats = quick ? 1 : 5;
const random = seededRandom(1);

/** @returns {Matrix} */
function randomMatrix(/** @type {number} */ rows, /** @type {number} */ columns) {
  const m = zeros(rows, columns);
  for (let i = 0; i < m.values.length; i++) m.values[i] = random() - 0.5;
  return m;
}

/** Seconds of the fastest of several calls, after one that is not counted. */
async function seconds(/** @type {() => Promise<unknown>} */ call, count = repeats) {
  await call();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await call();
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  return best;
}

/** @type {Record<string, string>[]} */
const table = [];

/** Time one operation, add a line to the table, and return its rate. */
async function measure(
  /** @type {string} */ operation,
  /** @type {Kernels} */ kernels,
  /** @type {number} */ billions,
  /** @type {string} */ unit,
  /** @type {() => Promise<unknown>} */ call,
) {
  const time = await seconds(call);
  const rate = billions / time;
  table.push({
    operation,
    kernels: kernels.name,
    ms: (time * 1000).toFixed(1),
    rate: `${rate.toFixed(1)} ${unit}`,
  });
  return rate;
}

/** Encode with nothing selected: the products alone. */
function encodeNothing(/** @type {Kernels} */ kernels, /** @type {[number, number, number]} */ [b, d, m]) {
  const x = randomMatrix(b, d);
  const encoder = randomMatrix(m, d);
  const bias = new Float32Array(m);
  const threshold = new Float32Array(m).fill(Number.POSITIVE_INFINITY);
  return measure(`encode ${b} × ${d} × ${m}, none active`, kernels, (2 * b * d * m) / 1e9, "GFLOP/s", () =>
    kernels.encode(x, encoder, bias, { kind: "threshold", threshold }),
  );
}

const one = await openKernels({ threads: 1 });
const two = await openKernels({ threads: 2 });

/** @type {[number, number, number][]} */
const shapes = [
  [4096, 768, 6144],
  [4096, 768, 24576],
  [4096, 64, 2048],
];
for (const shape of shapes) for (const kernels of [one, two]) await encodeNothing(kernels, shape);

const small = /** @type {[number, number, number]} */ ([128, 768, 1024]);
const slow = await encodeNothing(referenceKernels, small);
const fast = await encodeNothing(one, small);

const [b, d, m, active] = [4096, 768, 24576, 64];
const x = randomMatrix(b, d);
const decoder = randomMatrix(m, d);
/** @type {SparseCode} */
const code = {
  rows: b,
  columns: m,
  offsets: Int32Array.from({ length: b + 1 }, (_, i) => i * active),
  indices: Int32Array.from({ length: b * active }, (_, entry) =>
    Math.floor(((entry % active) + random()) * (m / active)),
  ),
  values: Float32Array.from({ length: b * active }, random),
};
const thousands = Int32Array.from({ length: m }, (_, j) => Math.floor(j / 1000));
const smaller = randomMatrix(6144, d);
for (const kernels of [one, two]) {
  const bias = new Float32Array(m);
  await measure(`encode ${b} × ${d} × ${m}, top ${active}`, kernels, (2 * b * d * m) / 1e9, "GFLOP/s", () =>
    kernels.encode(x, decoder, bias, { kind: "top", count: active }),
  );
  const toy = randomMatrix(b, 64);
  const toyEncoder = randomMatrix(2048, 64);
  await measure(`encode ${b} × 64 × 2048, top 32`, kernels, (2 * b * 64 * 2048) / 1e9, "GFLOP/s", () =>
    kernels.encode(toy, toyEncoder, new Float32Array(2048), { kind: "top", count: 32 }),
  );
  const entries = code.indices.length / 1e6;
  await measure(`decode ${b} × ${active} entries, d ${d}, m ${m}`, kernels, entries, "M entries/s", () =>
    kernels.decode(code, decoder, x, -1),
  );
  await measure(`project ${b} × ${active} entries, d ${d}, m ${m}`, kernels, entries, "M entries/s", () =>
    kernels.project(code, decoder, x),
  );
  const walked = (4 * code.indices.length * d) / 1e9;
  await measure(`walk ${b} × ${active} entries, d ${d}, m ${m}`, kernels, walked, "GFLOP/s", () =>
    kernels.walk(code, decoder, x),
  );
  await measure(`walk ${b} × ${active} entries in groups of 1000 latents`, kernels, walked, "GFLOP/s", () =>
    kernels.walk(code, decoder, x, thousands),
  );
  await measure(`match ${b} × ${d} × 6144, best 10`, kernels, (2 * b * d * 6144) / 1e9, "GFLOP/s", () =>
    kernels.match(x, smaller, 10),
  );
}

await one.close();
await two.close();
console.log(`${cpus()[0].model}, ${cpus().length} cores; Node ${process.version}; best of ${repeats}`);
console.table(table);
console.log(
  `one thread is ${(fast / slow).toFixed(0)} times as fast as the reference at ${small.join(" × ")}`,
);

// encode and match on a GPU beside the kernels of the processor, which compute the values in both. Build first (`npm run build`) and have the
// package webgpu installed, then: node bench/webgpu.js [--quick]
import { cpus } from "node:os";
import { createWebGpuKernels, normal, normalQuantile, seededRandom, zeros } from "@saestitch/core";
import { openKernels, openWebGpuDevice } from "@saestitch/core/node";

/** @import { GpuDevice, Kernels, Selection } from "@saestitch/core" */

const quick = process.argv.includes("--quick");
const [rows, columns, latents] = quick ? [64, 64, 2048] : [4096, 768, 24_576];
const matched = quick ? 256 : 24_576;
const active = 64;
const rounds = quick ? 2 : 7;
const random = seededRandom(1);

/** Standard normal numbers times `scale`. */
function randomMatrix(/** @type {number} */ rows, /** @type {number} */ columns, scale = 1) {
  const m = zeros(rows, columns);
  for (let i = 0; i < m.values.length; i++) m.values[i] = scale * normal(random);
  return m;
}

/**
 * Milliseconds of a call, one by one on either engine in turn, after one that is not counted: median, least, most.
 *
 * @param {readonly Kernels[]} engines @param {(kernels: Kernels) => Promise<unknown>} call
 */
async function times(engines, call) {
  for (const kernels of engines) await call(kernels);
  const all = engines.map(() => /** @type {number[]} */ ([]));
  for (let round = 0; round < rounds; round++)
    for (const [i, kernels] of engines.entries()) {
      const start = performance.now();
      await call(kernels);
      all[i].push(performance.now() - start);
    }
  return all.map((each) => {
    each.sort((a, b) => a - b);
    return { median: each[each.length >> 1], least: each[0], most: each[each.length - 1] };
  });
}

/** @type {GpuDevice | Error} */
const device = await openWebGpuDevice().catch((error) => error);
if (device instanceof Error) {
  console.log(`Not measured. ${device.message}`);
} else {
  const host = await openKernels();
  const gpu = createWebGpuKernels(device, await openKernels());
  const x = randomMatrix(rows, columns);
  const encoder = randomMatrix(latents, columns, 1 / Math.sqrt(columns));
  const wanted = randomMatrix(matched, columns);
  const none = new Float32Array(latents);
  const threshold = new Float32Array(latents).fill(-normalQuantile(active / latents));
  const encodeWork = 2 * rows * columns * latents;
  /** @type {{ what: string, operations: number, call: (kernels: Kernels) => Promise<{ indices: Int32Array }> }[]} */
  const cases = [
    ...[
      /** @type {Selection} */ ({ kind: "threshold", threshold }),
      /** @type {Selection} */ ({ kind: "top", count: 32 }),
    ].map((selection) => ({
      what: `encode ${rows} × ${columns} × ${latents}, ${selection.kind === "top" ? "top 32" : `${active} above a threshold`}`,
      operations: encodeWork,
      call: (/** @type {Kernels} */ kernels) => kernels.encode(x, encoder, none, selection),
    })),
    {
      what: `match ${matched} × ${columns} × ${latents}, top 8`,
      operations: 2 * matched * columns * latents,
      call: (kernels) => kernels.match(wanted, encoder, 8),
    },
  ];

  console.log(`${cpus()[0].model}, ${cpus().length} cores; Node ${process.version}; medians of ${rounds}`);
  console.log(gpu.name);
  const table = [];
  for (const { what, operations, call } of cases) {
    const [ours, theirs] = [await call(gpu), await call(host)];
    if (ours.indices.some((latent, i) => latent !== theirs.indices[i])) throw new Error(`${what} differs`);
    const [onGpu, onHost] = await times([gpu, host], call);
    for (const [kernels, { median, least, most }] of /** @type {const} */ ([
      [gpu, onGpu],
      [host, onHost],
    ]))
      table.push({
        operation: what,
        kernels: kernels === gpu ? "webgpu" : host.name,
        ms: median.toFixed(1),
        spread: `${least.toFixed(1)} to ${most.toFixed(1)}`,
        "GFLOP/s": (operations / median / 1e6).toFixed(1),
        ratio: (onHost.median / median).toFixed(2),
      });
  }
  console.table(table);
  await gpu.close();
  await host.close();
  device.destroy();
}

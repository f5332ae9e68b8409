import { allocateMatches } from "./allocate-matches.ts";
import { checkEncode, checkMatch } from "./check-arguments.ts";
import type { Kernels } from "./kernels.ts";
import { floorsOf } from "./selection-floors.ts";
import type { GpuDevice } from "./webgpu-device.ts";
import { orderMatches, unitRows, zeroRows } from "./webgpu-match.ts";
import { GpuScreen } from "./webgpu-screen.ts";
import { selectCandidates } from "./webgpu-selection.ts";

/**
 * `encode` and `match` on a WebGPU device, everything else on `host`.
 *
 * The device finds the few (row, latent) that may pass a selection, with a bound on its rounding that leaves none out; `host` computes those, so that
 * codes and matches have the bits that `host` alone gives. Weights are sent on each call, in blocks: they may have changed since the last. Rows too wide for
 * the device are left to `host`. Calls reject when the device is lost or refuses something, with what it says.
 *
 * `close` frees what was made on the device and closes `host`; the device stays open unless it is theirs (`ownsDevice`).
 */
export function createWebGpuKernels(
  device: GpuDevice,
  host: Kernels,
  { ownsDevice = false }: { readonly ownsDevice?: boolean } = {},
): Kernels {
  const screen = new GpuScreen(device);
  const { vendor, architecture, description } = device.adapterInfo;
  const adapter = description || `${vendor} ${architecture}`.trim() || "unknown adapter";
  return {
    name: `webgpu (${adapter}), exact values by ${host.name}`,

    async encode(x, encoder, bias, selection) {
      checkEncode(x, encoder, bias, selection);
      const floors = floorsOf(selection, x.rows, encoder.rows);
      if (!screen.takes(x.columns, encoder.rows, floors.top)) return host.encode(x, encoder, bias, selection);
      const search = { rows: x, latents: encoder, bias, floors };
      const candidates = await screen.search("encode", search);
      const p = await host.project(candidates, encoder, x);
      for (let entry = 0; entry < p.length; entry++) p[entry] += bias[candidates.indices[entry]];
      return selectCandidates(candidates, p, floors);
    },

    async match(rows, among, wanted) {
      checkMatch(rows, among, wanted);
      const count = Math.min(wanted, among.rows);
      if (count === 0 || !screen.takes(rows.columns, among.rows, count))
        return host.match(rows, among, wanted);
      const unit = unitRows(rows);
      const unitAmong = unitRows(among);
      const bias = new Float32Array(among.rows);
      // A zero row is equally far from all, all of which would come back.
      const floors = {
        rowFloor: Float32Array.from(zeroRows(unit), (zero) =>
          zero ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY,
        ),
        latentFloor: new Float32Array(among.rows).fill(Number.NEGATIVE_INFINITY),
        top: count,
      };
      const candidates = await screen.search("match", { rows: unit, latents: unitAmong, bias, floors });
      const cosines = await host.project(candidates, unitAmong, unit);
      // + 0 makes zero of minus zero, as a bias of zero does.
      cosines.forEach((cosine, entry) => {
        cosines[entry] = Math.min(1, Math.max(-1, cosine + 0));
      });
      const out = allocateMatches(rows.rows, count);
      orderMatches(selectCandidates(candidates, cosines, floors), out);
      return out;
    },

    decode: (...rest) => host.decode(...rest),
    project: (...rest) => host.project(...rest),
    walk: (...rest) => host.walk(...rest),
    update: (...rest) => host.update(...rest),

    async close() {
      await screen.close();
      await host.close();
      if (ownsDevice) device.destroy();
    },
  };
}

import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRandom } from "../linalg/random.ts";
import type { Selection } from "./kernels.ts";
import { randomCode } from "./random-arguments.conformance.ts";
import { floorsOf } from "./selection-floors.ts";
import { selectCandidates } from "./webgpu-selection.ts";

const cases = fc.record({
  rows: fc.integer({ min: 0, max: 5 }),
  latents: fc.integer({ min: 1, max: 12 }),
  seed: fc.integer(),
  count: fc.integer({ min: 0, max: 13 }),
});

test("selectCandidates() keeps what passes, of the largest the lower latent where they are equal", () => {
  fc.assert(
    fc.property(cases, ({ rows, latents, seed, count }) => {
      const random = seededRandom(seed);
      const whole = () => Math.floor(random() * 7) - 3;
      const candidates = randomCode(random, rows, latents);
      const p = Float32Array.from(candidates.indices, () => (random() < 0.1 ? Number.NaN : whole()));
      const threshold = Float32Array.from({ length: latents }, whole);
      const scale = Float32Array.from({ length: latents }, whole);
      const selections: Selection[] = [
        { kind: "threshold", threshold },
        { kind: "threshold", threshold, scale },
        { kind: "row-threshold", threshold: Float32Array.from({ length: rows }, whole) },
        { kind: "top", count },
      ];
      for (const selection of selections) {
        const floors = floorsOf(selection, rows, latents);
        const code = selectCandidates(candidates, p, floors);
        for (let i = 0; i < rows; i++) {
          const start = candidates.offsets[i];
          const offered = Array.from(p.slice(start, candidates.offsets[i + 1]), (value, entry) => ({
            value,
            latent: candidates.indices[start + entry],
          }));
          const passing = offered
            .filter(({ value, latent }) => value > floors.rowFloor[i] && value > floors.latentFloor[latent])
            .map(({ value, latent }) => ({ latent, value: value * (floors.affine?.scale[latent] ?? 1) }))
            .filter(({ value }) => floors.affine === undefined || value > 0);
          const want =
            selection.kind === "top"
              ? passing
                  .sort((a, b) => b.value - a.value || a.latent - b.latent)
                  .slice(0, count)
                  .sort((a, b) => a.latent - b.latent)
              : passing;
          const at = [code.offsets[i], code.offsets[i + 1]] as const;
          expect(Array.from(code.indices.slice(...at))).toEqual(want.map(({ latent }) => latent));
          expect(Array.from(code.values.slice(...at))).toEqual(want.map(({ value }) => value));
        }
      }
    }),
  );
});

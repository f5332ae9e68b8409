import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../linalg/random.ts";
import { type Matrix, matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { decoded, walked } from "./expected-kernels.conformance.ts";
import type { Kernels } from "./kernels.ts";
import {
  plain,
  randomGroups,
  randomMatrix,
  randomSignedCode,
  wholeMatrix,
  wholeNumbers,
} from "./random-arguments.conformance.ts";

/** What `Kernels.walk` promises on its own, beyond agreeing with float64 sums. */
export function describeWalk(kernels: () => Kernels): void {
  describe("walk()", () => {
    /** Three rows of width 1, latents 0 to 4 with directions 1; the row in the middle has no entry. */
    const [code, decoder, residual] = [
      {
        rows: 3,
        columns: 5,
        offsets: Int32Array.of(0, 4, 4, 7),
        indices: Int32Array.of(0, 1, 2, 4, 1, 3, 4),
        values: Float32Array.of(1, 2, -4, 1, 8, 1, 1),
      },
      matrix(5, 1, new Float32Array(5).fill(1)),
      matrix(3, 1, Float32Array.of(10, 20, 30)),
    ];

    test("subtracts every entry from its row before it projects the next", async () => {
      const result = await kernels().walk(code, decoder, residual);
      expect(Array.from(result)).toEqual([10, 9, 7, 11, 30, 22, 21]);
    });

    test("starts from the residual again where the group changes", async () => {
      const result = await kernels().walk(code, decoder, residual, Int32Array.of(0, 0, 7, 8, 8));
      expect(Array.from(result)).toEqual([10, 9, 10, 10, 30, 30, 29]);
    });

    test("takes any ascending groups, the least and the largest int32 among them", async () => {
      const group = Int32Array.of(-(2 ** 31), -(2 ** 31), -1, 2 ** 31 - 1, 2 ** 31 - 1);
      const result = await kernels().walk(code, decoder, residual, group);
      expect(Array.from(result)).toEqual([10, 9, 10, 10, 30, 30, 29]);
    });

    test("names the latent whose group descends", async () => {
      await expect(kernels().walk(code, decoder, residual, Int32Array.of(0, 3, 3, 2, 4))).rejects.toThrow(
        "latent 3 is 2 after 3",
      );
    });

    test("gives small whole numbers exactly", async () => {
      await fc.assert(
        fc.asyncProperty(wholeNumbers, async ({ b, d, m, seed }) => {
          const random = seededRandom(seed);
          const [x, directions] = [wholeMatrix(random, b, d), wholeMatrix(random, m, d)];
          const drawn = randomSignedCode(random, b, m);
          const whole = { ...drawn, values: drawn.values.map((value) => Math.trunc(value * 4) || 4) };
          for (const group of [undefined, randomGroups(random, m)])
            expect(Array.from(await kernels().walk(whole, directions, x, group), plain)).toEqual(
              Array.from(walked(whole, directions, x, group), plain),
            );
        }),
        { numRuns: 40 },
      );
    });

    test("with a group for each latent gives the bits of project(), with one for all those of no groups", async () => {
      await fc.assert(
        fc.asyncProperty(wholeNumbers, async ({ b, d, m, seed }) => {
          const random = seededRandom(seed);
          const [x, directions] = [randomMatrix(random, b, d), randomMatrix(random, m, d)];
          const signed = randomSignedCode(random, b, m);
          const own = Int32Array.from({ length: m }, (_, j) => j);
          expect(await kernels().walk(signed, directions, x, own)).toEqual(
            await kernels().project(signed, directions, x),
          );
          expect(await kernels().walk(signed, directions, x, new Int32Array(m).fill(3))).toEqual(
            await kernels().walk(signed, directions, x),
          );
        }),
        { numRuns: 40 },
      );
    });

    test("tells how much each group, inserted alone, changes the squared length of each row", async () => {
      await fc.assert(
        fc.asyncProperty(wholeNumbers, async ({ b, d, m, seed }) => {
          const random = seededRandom(seed);
          const [x, directions] = [randomMatrix(random, b, d), randomMatrix(random, m, d)];
          const signed = randomSignedCode(random, b, m);
          const several = randomGroups(random, m);
          const cases = [{ group: new Int32Array(m) }, { group: several, passed: several }];
          for (const { group, passed } of cases) {
            const products = await kernels().walk(signed, directions, x, passed);
            for (const one of new Set(group)) {
              const part = codeWhere(signed, (latent) => group[latent] === one);
              const after = squaredLengths(decoded(part, directions, x, -1), x);
              const before = squaredLengths(Float64Array.from(x.values), x);
              const changes = changesOfRows(signed, directions, products, (latent) => group[latent] === one);
              changes.forEach(({ sum, size }, i) => {
                expect(Math.abs(sum - (after[i] - before[i]))).toBeLessThanOrEqual(1e-5 * size);
              });
            }
          }
        }),
        { numRuns: 40 },
      );
    });
  });
}

/** The entries of a code whose latent passes. */
function codeWhere(code: SparseCode, passes: (latent: number) => boolean): SparseCode {
  const kept = Array.from(code.indices.keys()).filter((entry) => passes(code.indices[entry]));
  return {
    ...code,
    offsets: code.offsets.map((offset) => kept.filter((entry) => entry < offset).length),
    indices: Int32Array.from(kept, (entry) => code.indices[entry]),
    values: Float32Array.from(kept, (entry) => code.values[entry]),
  };
}

/** For each row Σ v² ‖direction‖² − 2 v · product over its entries whose latent passes, and that sum of absolute values. */
function changesOfRows(
  { rows, offsets, indices, values }: SparseCode,
  decoder: Matrix,
  products: Float32Array,
  passes: (latent: number) => boolean,
): { sum: number; size: number }[] {
  const squares = squaredLengths(Float64Array.from(decoder.values), decoder);
  return Array.from({ length: rows }, (_, i) => {
    const change = { sum: 0, size: 0 };
    for (let entry = offsets[i]; entry < offsets[i + 1]; entry++) {
      if (!passes(indices[entry])) continue;
      const added = values[entry] ** 2 * squares[indices[entry]];
      const overlap = 2 * values[entry] * products[entry];
      change.sum += added - overlap;
      change.size += added + Math.abs(overlap);
    }
    return change;
  });
}

function squaredLengths(values: Float64Array, { rows, columns }: Matrix): number[] {
  return Array.from({ length: rows }, (_, i) =>
    values.subarray(i * columns, (i + 1) * columns).reduce((sum, value) => sum + value * value, 0),
  );
}

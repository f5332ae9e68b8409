import fc from "fast-check";
import { expect, test } from "vitest";
import { denseCode } from "../../test-support/plain-forward.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { randomCode } from "../kernels/random-arguments.conformance.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { row } from "../tensor/matrix.ts";
import { directionFit } from "./direction-fit.ts";

test("directionFit() is the published formula, across batches", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.boolean(), async (seed, biased) => {
      const random = seededRandom(seed);
      const [n, s, d] = [9000, 7, 3];
      const directions = randomMatrix(random, n, d);
      const decoder = randomMatrix(random, s, d);
      const code = randomCode(random, n, s);
      const bias = biased ? randomMatrix(random, 1, d).values : undefined;
      const fit = await directionFit(directions, { code, decoder, ...(bias && { bias }) }, referenceKernels);

      const dense = denseCode(code);
      const mean = Array.from({ length: d }, (_, c) => {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += row(directions, i)[c];
        return sum / n;
      });
      let error = 0;
      let spread = 0;
      dense.forEach((strengths, i) => {
        row(directions, i).forEach((value, c) => {
          const written = strengths.reduce((sum, f, j) => sum + f * row(decoder, j)[c], bias?.[c] ?? 0);
          error += (value - written) ** 2;
          spread += (value - mean[c]) ** 2;
        });
      });
      expect(fit.varianceExplained).toBeCloseTo(1 - error / spread, 5);
      expect(fit.mse).toBeCloseTo(error / (n * d), 5);
      expect(fit.l0).toBeCloseTo(code.indices.length / n, 9);
      expect(fit.deadShare).toBe(0);
    }),
    { numRuns: 3 },
  );
});

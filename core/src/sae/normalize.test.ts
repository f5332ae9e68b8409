import fc from "fast-check";
import { expect, test } from "vitest";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { UnsupportedError } from "../errors.ts";
import { seededRandom } from "../linalg/random.ts";
import { row, zeros } from "../tensor/matrix.ts";
import { normalize, outputAffine } from "./normalize.ts";
import { everyNormalization } from "./sae.conformance.ts";

test.each(everyNormalization)(
  "outputAffine() is the way back that normalize() gives: %j",
  (normalization) => {
    fc.assert(
      fc.property(
        fc.record({ rows: fc.nat(6), d: fc.integer({ min: 2, max: 9 }), seed: fc.integer() }),
        (size) => {
          const random = seededRandom(size.seed);
          const sae = randomSae(random, size.d, 3, { normalization });
          const x = randomMatrix(random, size.rows, size.d, 2);
          // A row without a scale of its own.
          if (size.rows > 1) row(x, 1).fill(normalization.kind === "layer-norm" ? 3 : 0);
          const { outputScale, outputShift } = normalize(x, sae);
          expect(outputAffine(x, sae)).toEqual({ outputScale, outputShift });
        },
      ),
    );
  },
);

test("outputAffine() is the standard deviation and mean of a row, or its root mean square, or one over the factor", () => {
  const x = { rows: 1, columns: 4, values: Float32Array.of(1, 1, 5, 5) };
  const affineOf = (normalization: (typeof everyNormalization)[number]) =>
    outputAffine(x, randomSae(seededRandom(1), 4, 3, { normalization }));
  expect(affineOf({ kind: "none" })).toEqual({ outputScale: undefined, outputShift: undefined });
  expect(affineOf({ kind: "layer-norm" })).toEqual({
    outputScale: Float32Array.of(Math.sqrt(16 / 3)),
    outputShift: Float32Array.of(3),
  });
  expect(affineOf({ kind: "unit-mean-square" })).toEqual({
    outputScale: Float32Array.of(Math.sqrt(13)),
    outputShift: undefined,
  });
  expect(affineOf({ kind: "expected-average", factor: 0.25 })).toEqual({
    outputScale: Float32Array.of(4),
    outputShift: undefined,
  });
});

test("outputAffine() without the factor of an expected-average SAE says what to give", () => {
  const normalization = { kind: "expected-average", factor: null } as const;
  const sae = randomSae(seededRandom(1), 4, 3, { normalization });
  expect(() => outputAffine(zeros(1, 4), sae)).toThrow(UnsupportedError);
  expect(() => outputAffine(zeros(1, 4), sae)).toThrow(/Give the factor/);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { largestDifference, plainForward } from "../../test-support/plain-forward.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { seededRandom } from "../linalg/random.ts";
import { type Matrix, row } from "../tensor/matrix.ts";
import {
  foldDecoderNorms,
  foldInputBias,
  foldInputScale,
  foldOutputScale,
  foldSelectionByNorm,
} from "./fold.ts";
import { everyNormalization } from "./sae.conformance.ts";
import type { Sae } from "./sae.ts";

const d = 7;
const m = 13;

/** A random SAE of each activation with each normalisation, and activations. */
const anySae = fc.record({
  seed: fc.integer(),
  activation: fc.nat({ max: 4 }),
  normalization: fc.nat({ max: everyNormalization.length - 1 }),
});

function draw({
  seed,
  activation,
  normalization,
}: {
  seed: number;
  activation: number;
  normalization: number;
}) {
  const random = seededRandom(seed);
  const sae = randomSae(random, d, m, {
    activation: everyActivation(random, m)[activation],
    normalization: everyNormalization[normalization],
  });
  return { sae, x: randomMatrix(random, 12, d, 1.5), random };
}

/** Both SAEs write the same, except for tokens where rounding could decide; activations are `codeScale` times as large. */
function expectSame(
  folded: Sae,
  sae: Sae,
  x: Matrix,
  codeScale: ArrayLike<number> = new Float64Array(m).fill(1),
) {
  const before = plainForward(sae, x);
  plainForward(folded, x).forEach((after, i) => {
    if (Math.min(after.margin, before[i].margin) < 1e-4) return;
    expectNear(after.reconstruction, before[i].reconstruction);
    expectNear(
      after.code,
      before[i].code.map((value, j) => value * codeScale[j]),
    );
  });
}

/** Equal up to the rounding of weights to float32. */
function expectNear(values: number[], expected: number[]) {
  const scale = Math.max(1, ...expected.map(Math.abs));
  expect(largestDifference(values, expected)).toBeLessThan(3e-6 * scale);
}

function norms(matrix: Matrix): number[] {
  return [...rowNormsSquared(matrix)].map(Math.sqrt);
}

describe("foldInputBias()", () => {
  test("changes neither codes nor reconstructions", () => {
    fc.assert(
      fc.property(anySae, (drawn) => {
        const { sae, x } = draw(drawn);
        const folded = foldInputBias(sae);
        expect(folded.inputBias.every((value) => value === 0)).toBe(true);
        expect(folded.folds.map(({ kind }) => kind)).toEqual(["input-bias"]);
        expectSame(folded, sae, x);
      }),
    );
  });

  test("leaves an SAE that subtracts nothing as it is", () => {
    const folded = foldInputBias(draw({ seed: 1, activation: 0, normalization: 0 }).sae);
    expect(foldInputBias(folded)).toBe(folded);
  });
});

describe("foldDecoderNorms()", () => {
  test("gives unit directions and the same reconstructions, and multiplies codes by the norms", () => {
    fc.assert(
      fc.property(anySae, (drawn) => {
        const { sae: drawnSae, x, random } = draw(drawn);
        const sae = drawnSae.activation.kind === "topk" ? withEqualNorms(drawnSae, 0.3) : drawnSae;
        row(sae.decoder, Math.floor(random() * m)).fill(0);
        const folded = foldDecoderNorms(sae);
        const expectedScale = norms(sae.decoder).map(
          (norm) => norm || (sae.activation.kind === "topk" ? 0.3 : 1),
        );
        for (const norm of norms(folded.decoder)) expect(norm === 0 || Math.abs(norm - 1) < 1e-6).toBe(true);
        expect(folded.folds.at(-1)?.kind).toBe("decoder-norm");
        expectSame(folded, sae, x, expectedScale);
      }),
    );
  });

  test("refuses a topk SAE whose directions differ in length", () => {
    const { sae } = draw({ seed: 1, activation: 2, normalization: 0 });
    expect(() => foldDecoderNorms(sae)).toThrow(UnsupportedError);
  });

  test("makes a batchtopk SAE a jumprelu SAE", () => {
    const { sae } = draw({ seed: 1, activation: 3, normalization: 0 });
    expect(foldDecoderNorms(sae).activation.kind).toBe("jumprelu");
  });

  test("does not touch the SAE it is given, unless told to work in place", () => {
    const { sae } = draw({ seed: 1, activation: 0, normalization: 0 });
    const copy = sae.decoder.values.slice();
    foldDecoderNorms(sae);
    expect([...sae.decoder.values]).toEqual([...copy]);
    expect(foldDecoderNorms(sae, { inPlace: true }).decoder.values).toBe(sae.decoder.values);
  });
});

describe("foldSelectionByNorm()", () => {
  test("selects by pre-activation times norm and writes the same", () => {
    fc.assert(
      fc.property(anySae, fc.constantFrom(2, 3), (drawn, activation) => {
        const { sae, x } = draw({ ...drawn, activation });
        const folded = foldSelectionByNorm(sae);
        const before = plainForward(sae, x, { selectionScale: norms(sae.decoder) });
        plainForward(folded, x).forEach((after, i) => {
          if (Math.min(after.margin, before[i].margin) < 1e-4) return;
          expectNear(after.code, before[i].code);
          expectNear(after.reconstruction, before[i].reconstruction);
        });
      }),
    );
  });

  test("refuses an SAE whose selection is not stated for scaled pre-activations", () => {
    const { sae } = draw({ seed: 1, activation: 0, normalization: 0 });
    expect(() => foldSelectionByNorm(sae)).toThrow(UnsupportedError);
  });
});

describe("foldInputScale()", () => {
  test("changes neither codes nor reconstructions", () => {
    fc.assert(
      fc.property(anySae, fc.double({ min: 0.1, max: 10, noNaN: true }), (drawn, factor) => {
        const { sae: drawnSae, x } = draw(drawn);
        const sae: Sae = { ...drawnSae, normalization: { kind: "expected-average", factor } };
        expectSame(foldInputScale(sae), sae, x);
        const unknown: Sae = { ...drawnSae, normalization: { kind: "expected-average", factor: null } };
        expectSame(foldInputScale(unknown, factor), sae, x);
      }),
    );
  });

  test("refuses an SAE without factor, a factor of 0, and an SAE that wants none", () => {
    const { sae } = draw({ seed: 1, activation: 0, normalization: 0 });
    const unknown: Sae = { ...sae, normalization: { kind: "expected-average", factor: null } };
    expect(() => foldInputScale(unknown)).toThrow(UnsupportedError);
    expect(() => foldInputScale(unknown, 0)).toThrow(DataError);
    expect(() => foldInputScale(sae, 1)).toThrow(UnsupportedError);
  });
});

describe("foldOutputScale()", () => {
  test("multiplies each direction by the factor of its latent", () => {
    const { sae, random } = draw({ seed: 1, activation: 0, normalization: 0 });
    const scale = randomMatrix(random, 1, m).values;
    const { decoder, folds } = foldOutputScale(sae, scale);
    expect(folds.map(({ kind }) => kind)).toEqual(["output-scale"]);
    for (let j = 0; j < m; j++)
      expect([...row(decoder, j)]).toEqual(
        [...row(sae.decoder, j)].map((value) => Math.fround(value * scale[j])),
      );
  });

  test("refuses another number of factors than latents", () => {
    const { sae } = draw({ seed: 1, activation: 0, normalization: 0 });
    expect(() => foldOutputScale(sae, new Float32Array(m + 1))).toThrow(ShapeError);
  });
});

function withEqualNorms(sae: Sae, norm: number): Sae {
  const before = norms(sae.decoder);
  return foldOutputScale(
    sae,
    Float32Array.from(before, (value) => norm / value),
    { inPlace: true },
  );
}

import { expect, test } from "vitest";
import { randomSae } from "../../test-support/random-saes.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { seededRandom } from "../linalg/random.ts";
import { checkComparable } from "./comparable.ts";
import type { Normalization, Sae } from "./sae.ts";

const random = seededRandom(1);

function sae(
  d: number,
  latents: number,
  kind: "none" | "layer-norm" | "unit-mean-square",
  location?: string,
): Sae {
  const made = randomSae(random, d, latents, { normalization: { kind } });
  return location === undefined ? made : { ...made, origin: { ...made.origin, location } };
}

/** The error that checking these must end in. */
function refusal(...saes: readonly Sae[]): Error {
  try {
    checkComparable(saes);
  } catch (error) {
    return error as Error;
  }
  return expect.unreachable("should have been refused");
}

test("checkComparable() takes SAEs of one width and normalisation, whatever their latents, and a single one", () => {
  for (const kind of ["none", "layer-norm", "unit-mean-square"] as const) {
    checkComparable([sae(4, 3, kind), sae(4, 9, kind), sae(4, 3, kind)]);
    checkComparable([sae(4, 3, kind)]);
  }
});

test("checkComparable() refuses SAEs of different width, naming both", () => {
  const error = refusal(sae(4, 3, "none", "small"), sae(4, 3, "none"), sae(5, 9, "none"));
  expect(error).toBeInstanceOf(ShapeError);
  expect(error.message).toContain("small reads activations of width 4 and the SAE of 9 latents of width 5");
});

test("checkComparable() refuses SAEs that normalise differently, naming both and what would do", () => {
  const error = refusal(sae(4, 3, "layer-norm", "small"), sae(4, 9, "unit-mean-square", "large"));
  expect(error).toBeInstanceOf(UnsupportedError);
  expect(error.message).toContain("small normalises its input by layer-norm and large by unit-mean-square");
  expect(error.message).toContain("both must be trained with one normalisation");
  expect(refusal(sae(4, 3, "none"), sae(4, 9, "layer-norm")).message).toContain("by none and");
});

test.each([null, 0.5])(
  "checkComparable() refuses the factor %s that is not in the weights, of a single SAE too",
  (factor) => {
    const normalization: Normalization = { kind: "expected-average", factor };
    const scaled = { ...sae(4, 9, "none", "large"), normalization };
    for (const saes of [[scaled], [sae(4, 3, "none"), scaled], [scaled, scaled]]) {
      const error = refusal(...saes);
      expect(error).toBeInstanceOf(UnsupportedError);
      expect(error.message).toContain("large expects activations multiplied by a factor");
      expect(error.message).toContain("--activation-scale");
    }
  },
);

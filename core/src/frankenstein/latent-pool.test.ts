import { expect, test } from "vitest";
import { denseCode } from "../../test-support/plain-forward.ts";
import { randomCode } from "../../test-support/pooled-tokens.ts";
import { randomSae } from "../../test-support/random-saes.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { seededRandom } from "../linalg/random.ts";
import { row } from "../tensor/matrix.ts";
import { directionsOf, latentsOf, poolCode, poolLatents, whose } from "./latent-pool.ts";

const random = seededRandom(1);
const saes = [3, 1, 4].map((latents) => randomSae(random, 5, latents));

test("poolLatents() numbers the latents of all SAEs through, and whose() tells them apart again", () => {
  const pool = poolLatents(saes);
  expect(pool.starts).toEqual([0, 3, 4, 8]);
  saes.forEach((sae, s) => {
    latentsOf(pool, s).forEach((id, latent) => {
      expect(whose(pool, id)).toEqual({ sae: s, latent });
      expect(row(pool.directions, id)).toEqual(row(sae.decoder, latent));
      expect(pool.normsSquared[id]).toBeCloseTo(
        row(sae.decoder, latent).reduce((sum, value) => sum + value * value, 0),
        6,
      );
    });
  });
  expect(directionsOf(pool, [7, 0]).values).toEqual(
    Float32Array.from([...row(saes[2].decoder, 3), ...row(saes[0].decoder, 0)]),
  );
});

test("poolCode() puts the codes of all SAEs side by side, for all rows or for some", () => {
  const pool = poolLatents(saes);
  const codes = saes.map(({ decoder }) => ({
    contributions: randomCode(random, 6, decoder.rows, 0.5),
    outputScale: undefined,
    outputShift: undefined,
  }));
  const dense = codes.map(({ contributions }) => denseCode(contributions));
  const beside = Array.from({ length: 6 }, (_, i) => dense.flatMap((rows) => rows[i]));
  expect(denseCode(poolCode(pool, codes))).toEqual(beside);
  expect(denseCode(poolCode(pool, codes, Int32Array.from([1, 4])))).toEqual([beside[1], beside[4]]);
  expect(denseCode(poolCode(pool, codes, new Int32Array()))).toEqual([]);
});

test("poolLatents() refuses no SAEs, and SAEs between which latents cannot move", () => {
  expect(() => poolLatents([])).toThrow(ShapeError);
  expect(() => poolLatents([saes[0], randomSae(random, 6, 2)])).toThrow(ShapeError);
  const normalised = randomSae(random, 5, 2, { normalization: { kind: "layer-norm" } });
  expect(() => poolLatents([saes[0], normalised])).toThrow(UnsupportedError);
});

import { expect, test } from "vitest";
import { randomSae } from "../../test-support/random-saes.ts";
import { DataError, UnsupportedError } from "../errors.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { seededRandom } from "../linalg/random.ts";
import { row } from "../tensor/matrix.ts";
import { directionRow, directionSource, unitDirections } from "./unit-directions.ts";

/** Of six latents of which the second and the last have no direction. */
function saeWithZeros() {
  const sae = randomSae(seededRandom(2), 5, 6);
  row(sae.decoder, 1).fill(0);
  row(sae.decoder, 5).fill(0);
  return { ...sae, origin: { dialect: "none", location: "made.safetensors" } };
}

test("unitDirections() scales directions to length 1 and leaves the SAE as it is", () => {
  const sae = saeWithZeros();
  const before = sae.decoder.values.slice();
  const { directions, latents, zeroLatents } = unitDirections(sae);
  expect(sae.decoder.values).toEqual(before);
  expect([directions.rows, directions.columns]).toEqual([4, 5]);
  expect([...latents]).toEqual([0, 2, 3, 4]);
  expect([...zeroLatents]).toEqual([1, 5]);
  for (const square of rowNormsSquared(directions)) expect(square).toBeCloseTo(1, 6);
  latents.forEach((j, i) => {
    const ratio = row(sae.decoder, j).map((value, c) => value / row(directions, i)[c]);
    for (const each of ratio) expect(each).toBeCloseTo(ratio[0], 5);
    expect(ratio[0]).toBeGreaterThan(0);
  });
});

test("unitDirections() refuses directions that are not finite, and an SAE without any", () => {
  const sae = saeWithZeros();
  row(sae.decoder, 3)[2] = Number.NaN;
  expect(() => unitDirections(sae)).toThrow(DataError);
  expect(() => unitDirections(sae)).toThrow(/latent 3 of made\.safetensors/);
  sae.decoder.values.fill(0);
  expect(() => unitDirections(sae)).toThrow(/All 6 directions/);
});

test("directionSource() gives the directions as a sample", async () => {
  const unit = unitDirections(saeWithZeros());
  const source = directionSource(unit);
  expect(source.rows).toBe(4);
  expect(source.location).toContain("made.safetensors");
  for await (const { activations } of source.batches())
    expect([...activations.values]).toEqual([...unit.directions.values]);
});

test("directionRow() finds the row of a latent, or says why there is none", () => {
  const unit = unitDirections(saeWithZeros());
  expect([0, 2, 3, 4].map((latent) => directionRow(unit, latent))).toEqual([0, 1, 2, 3]);
  expect(() => directionRow(unit, 5)).toThrow(UnsupportedError);
  expect(() => directionRow(unit, 5)).toThrow(/zero/);
  expect(() => directionRow(unit, 6)).toThrow(/0 to 5/);
});

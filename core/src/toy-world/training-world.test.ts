import { expect, test } from "vitest";
import { collectRows } from "../activations/activation-source.conformance.ts";
import { UnsupportedError } from "../errors.ts";
import { row } from "../tensor/matrix.ts";
import { makeTrainingWorld } from "./training-world.ts";

const size = { seed: 3, d: 24, features: 20, documents: { training: 60, sample: 21 } };

test("makeTrainingWorld() trains on other documents than it measures on, both of one world", async () => {
  const world = await makeTrainingWorld(size);
  const training = await collectRows(world.training);
  const sample = await collectRows(world.sample);
  expect([...new Set(training.documentIds)]).toEqual(Array.from({ length: 60 }, (_, i) => i));
  expect([...new Set(sample.documentIds)]).toEqual(Array.from({ length: 21 }, (_, i) => 60 + i));
  const whole = await makeTrainingWorld({ ...size, documents: { training: 81, sample: 1 } });
  const joined = Float32Array.of(...training.activations, ...sample.activations);
  expect((await collectRows(whole.training)).activations).toEqual(joined);
});

test("makeTrainingWorld() has each feature as often as its rate says, the most frequent first", async () => {
  const documents = { training: 1200, sample: 1 };
  const { training, directions, rates } = await makeTrainingWorld({ ...size, documents, noise: 0 });
  expect([...rates]).toEqual([...rates].sort((a, b) => b - a));
  expect(rates[0] / rates[19]).toBeGreaterThan(4);
  const { activations, excluded } = await collectRows(training);
  const d = 24;
  const rows = Array.from(excluded!, (mark, i) => (mark === 1 ? [] : [i])).flat();
  const mean = rows
    .reduce((sum, i) => sum.map((value, c) => value + activations[i * d + c]), Array(d).fill(0))
    .map((sum) => sum / rows.length);
  // Each basis of 24 holds its features without interference: strengths are what the centred activation has along them.
  for (const feature of [0, 5, 19]) {
    const direction = row(directions, feature);
    const along = rows.map((i) =>
      direction.reduce((sum, value, c) => sum + value * (activations[i * d + c] - mean[c]), 0),
    );
    const lowest = Math.min(...along);
    const share = along.filter((value) => value > lowest + 0.3).length / rows.length;
    expect(share / rates[feature]).toBeGreaterThan(0.75);
    expect(share / rates[feature]).toBeLessThan(1.3);
  }
});

test("makeTrainingWorld() gives the same world for the same seed, another for another", async () => {
  const documents = { training: 2, sample: 2 };
  const world = await makeTrainingWorld({ ...size, documents });
  const again = await makeTrainingWorld({ ...size, documents });
  const other = await makeTrainingWorld({ ...size, documents, seed: 4 });
  expect(again.directions).toEqual(world.directions);
  expect(await collectRows(again.sample)).toEqual(await collectRows(world.sample));
  expect(other.directions).not.toEqual(world.directions);
});

test("makeTrainingWorld() refuses sizes that are not positive integers", async () => {
  for (const wrong of [
    { d: 0 },
    { features: 1.5 },
    { documents: { training: 0, sample: 1 } },
    { documents: { training: 1, sample: Number.NaN } },
  ])
    await expect(makeTrainingWorld({ ...size, ...wrong })).rejects.toThrow(UnsupportedError);
});

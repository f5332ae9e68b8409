import { describe, expect, test } from "vitest";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { createWasmKernels } from "../kernels/wasm-kernels.ts";
import { label } from "../labelling/label.ts";
import { seededRandom } from "../linalg/random.ts";
import type { PlantedLatent } from "../toy-world/latent-plans.ts";
import { makeToyWorld } from "../toy-world/toy-world.ts";
import { cosineFamilies, type FamilyReport, measureFamilies } from "./measure-families.ts";

/** Whether every split latent is in one family with its siblings and their parent. */
function joinsSplits({ families }: FamilyReport, truth: readonly PlantedLatent[]): boolean {
  return truth.every(({ kind, sources }, j) => {
    if (kind !== "split") return true;
    const family = families.find(({ larger }) => larger.includes(j))!;
    return (
      family.smaller.includes(sources[0]) &&
      truth.every(
        (other, k) => other.kind !== "split" || other.sources[0] !== sources[0] || family.larger.includes(k),
      )
    );
  });
}

describe("measureFamilies() on a toy world", () => {
  test.each([
    ["relu", 7],
    ["topk", 2],
    ["jumprelu", 6],
  ] as const)("finds what its latents were planted as, %s, seed %i", async (architecture, seed) => {
    const kernels = await createWasmKernels();
    const { smaller, larger, source, truth } = makeToyWorld({ architecture, seed });
    const coded = codeSample([smaller, larger], source, kernels);
    const report = await measureFamilies(coded, kernels);
    for (const kind of ["copy", "split", "absorbing", "novel"] as const) {
      const planted = Array.from(truth.keys()).filter((j) => truth[j].kind === kind);
      const right = planted.filter((j) => {
        const found = report.kinds[j];
        const parents = "parents" in found ? found.parents.map(({ latent }) => latent) : [];
        return found.kind === kind && parents.every((parent) => truth[j].sources.includes(parent));
      });
      expect(right.length / planted.length).toBeGreaterThanOrEqual(0.95);
    }
    expect(joinsSplits(report, truth)).toBe(true);
    expect(report.sizes.warning).toBeNull();

    const evidence = await measureFamilies(coded, kernels, { rule: "evidence" });
    expect(joinsSplits(evidence, truth)).toBe(true);
    expect(evidence.edges.length).toBeLessThanOrEqual(report.edges.length);
    expect(evidence.kinds).toEqual(report.kinds);
  });

  test("agrees with label() on every latent, alone and as a family of its own", async () => {
    const kernels = await createWasmKernels();
    const { smaller, larger, source } = makeToyWorld({ documents: 200 });
    const labels = await label(smaller, larger, source, kernels);
    const report = await measureFamilies(codeSample([smaller, larger], source, kernels), kernels);
    const { deltaMse } = labels.latents;
    const scale = deltaMse.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(report.insertion.verdict).toEqual(labels.latents.verdict);
    expect([report.tokens, report.documents, report.excluded]).toEqual([
      labels.tokens,
      labels.documents,
      labels.excluded,
    ]);
    report.insertion.deltaMse.forEach((value, j) => {
      expect(Math.abs(value - deltaMse[j])).toBeLessThanOrEqual(1e-6 * scale);
    });
    const lone = report.families.flatMap((family, f) =>
      family.smaller.length === 0 ? [{ f, latent: family.larger[0] }] : [],
    );
    expect(lone.length).toBeGreaterThan(40);
    for (const { f, latent } of lone)
      expect(Math.abs(report.swaps.deltaMse[f] - deltaMse[latent])).toBeLessThanOrEqual(1e-6 * scale);
  });
});

test("measureFamilies() by evidence cuts a chain whose links never fire together", async () => {
  const d = 8;
  const random = seededRandom(2);
  const axes = (rows: readonly (readonly number[])[]) => {
    const values = new Float32Array(rows.length * d);
    rows.forEach((weights, j) => {
      weights.forEach((weight, k) => {
        values[j * d + k] = weight;
      });
    });
    return { rows: rows.length, columns: d, values };
  };
  // The second latent of the larger SAE reads axis 1 but writes close to axis 0 too, which links the two clusters.
  const sae = (writes: readonly (readonly number[])[], reads = writes) => ({
    ...randomSae(random, d, writes.length),
    encoder: axes(reads),
    decoder: axes(writes),
    encoderBias: new Float32Array(writes.length).fill(-0.2),
    decoderBias: new Float32Array(d),
    inputBias: new Float32Array(d),
  });
  const smaller = sae([
    [1, 0],
    [0, 1],
  ]);
  const larger = sae(
    [
      [1, 0],
      [0.71, 0.71],
    ],
    [
      [1, 0],
      [-2, 1],
    ],
  );
  const x = axes(Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? [1 + (i % 5), 0] : [0, 1 + (i % 7)])));
  const coded = codeSample([smaller, larger], activationsInMemory(x), referenceKernels);
  const joined = { smaller: [0, 1], larger: [0, 1] };
  const cosine = await measureFamilies(coded, referenceKernels);
  expect(cosine.families).toEqual([joined]);
  const evidence = await measureFamilies(coded, referenceKernels, { rule: "evidence" });
  expect(evidence.families).toEqual([
    { smaller: [0], larger: [0] },
    { smaller: [1], larger: [1] },
  ]);
  expect(evidence.edges.map(({ smaller, larger }) => [smaller, larger])).toEqual([
    [0, 0],
    [1, 1],
  ]);
  expect(evidence.evidence.precision).toHaveLength(2);
});

describe("measureFamilies()", () => {
  const random = seededRandom(11);
  const saes = [5, 8].map((m) => randomSae(random, 6, m));
  const x = randomMatrix(random, 20, 6);

  test("joins the same families as the cosines alone, and tells how far it is", async () => {
    const done: [number, number][] = [];
    const coded = codeSample(saes, activationsInMemory(x), referenceKernels);
    const report = await measureFamilies(coded, referenceKernels, {
      cosine: 0.5,
      onRows: (rows, of) => done.push([rows, of]),
    });
    const { edges, families, sizes } = await cosineFamilies(saes[0], saes[1], referenceKernels, {
      cosine: 0.5,
    });
    expect(report).toMatchObject({ edges, families, sizes });
    expect(done).toEqual([
      [20, 40],
      [40, 40],
    ]);
  });

  test("refuses other than two SAEs, SAEs of different width, and samples without a token that counts", async () => {
    const three = codeSample([...saes, saes[0]], activationsInMemory(x), referenceKernels);
    await expect(measureFamilies(three, referenceKernels)).rejects.toThrow(UnsupportedError);
    await expect(cosineFamilies(saes[0], randomSae(random, 7, 3), referenceKernels)).rejects.toThrow(
      ShapeError,
    );
    const none = activationsInMemory(x, { excluded: new Uint8Array(20).fill(1) });
    await expect(measureFamilies(codeSample(saes, none, referenceKernels), referenceKernels)).rejects.toThrow(
      DataError,
    );
  });
});

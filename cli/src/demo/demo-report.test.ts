import { expect, test } from "vitest";
import { compareWithTruth, plantedVerdicts, trainedVerdicts } from "../labelling/planted-truth.ts";
import { trainedPairsSection } from "./label-trained-pairs.ts";
import { plantedPairSection } from "./planted-pair.ts";
import { type TrainedRecord, trainedFamilySections } from "./train-on-world.ts";

const layout = { width: 80, style: { bold: (text: string) => text, dim: (text: string) => text } };
const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));

const trained = (latents: number, shareByQuarter: number[]): TrainedRecord => ({
  latents,
  k: 4,
  l0: 3.99,
  mse: 0.0123456,
  varianceExplained: 0.87654,
  deadShare: 0.125,
  recovered: { directions: 100, share: 0.625, shareByQuarter, meanCosine: 0.777 },
});

test("trainedFamilySections() tell within 80 columns what each SAE measures and which directions it found", () => {
  const record = {
    architecture: "batchtopk",
    steps: 1000,
    batchRows: 512,
    tokens: 512_000,
    seconds: 7.06,
    directions: 160,
    saes: [trained(64, [1, 0.5, 0.025, 0]), trained(16_384, [1, 1, 1, 1])],
  } as const;
  const text = trainedFamilySections(record, layout).join("\n");
  expect(text).toMatch(/64 +3\.990 +0\.01235 +0\.8765 +12\.5 %/);
  expect(text).toMatch(/64 +100 +62\.5 % +100\.0 % +50\.0 % +2\.5 % +0\.0 % +0\.777/);
  expect(text).toContain("160 true directions");
  expect(widest(text)).toBeLessThanOrEqual(80);
});

test("plantedPairSection() and trainedPairsSection() show true kinds by verdict within 80 columns", () => {
  const planted = compareWithTruth(["novel", "copy"], ["novel", "reconstruction"], plantedVerdicts);
  const labels = { smaller: { m: 124 }, larger: { m: 280 }, tokens: 41_600 };
  const first = plantedPairSection({ labels, correctness: planted }, layout.style);
  expect(first).toContain("124 → 280 latents, 41,600 tokens");
  expect(first).toMatch(/^ {2}copy +0 +1 +0 +0$/m);

  const correctness = compareWithTruth(["novel", "none"], ["novel", "undecided"], trainedVerdicts);
  const second = trainedPairsSection([{ smaller: { m: 128 }, larger: { m: 256 }, correctness }], layout);
  expect(second).toContain("128 → 256 latents");
  expect(second).toMatch(/no true direction.* 0 +0 +1 +0$/m);
  expect(second).toContain("1 of 1 right; of novel: precision ↑ 1.000, recall ↑ 1.000");
  expect(widest(`${first}\n${second}`)).toBeLessThanOrEqual(80);
});

import { expect, test } from "vitest";
import { saestitch } from "./cli-world.ts";

test("demo labels what was planted without an error, and what it trained nearly so", {
  timeout: 120_000,
}, async () => {
  const { code, stdout } = await saestitch("demo", "--json", "--quiet");
  expect(code).toBe(0);
  const { schema, planted, trained, pairs, trajectory, stitch, decomposed } = JSON.parse(stdout);
  expect(schema).toBe("saestitch.demo/1");
  const { correctness, truth, labels } = planted;
  expect([correctness.right, correctness.latents]).toEqual([truth.length, labels.larger.m]);
  expect([correctness.precision, correctness.recall]).toEqual([1, 1]);

  const found = trained.saes.map(({ recovered }: { recovered: { share: number } }) => recovered.share);
  expect(found[0]).toBeLessThan(0.45);
  expect(found[1]).toBeGreaterThan(0.65);
  expect(found[2]).toBeGreaterThan(0.92);
  const [narrowest] = trained.saes;
  expect(narrowest.recovered.shareByQuarter[0]).toBeGreaterThan(0.95);
  expect(narrowest.recovered.shareByQuarter[3]).toBeLessThan(0.05);
  expect(trained.saes[2].varianceExplained).toBeGreaterThan(0.88);

  expect(pairs).toHaveLength(2);
  for (const { correctness, truth, latents } of pairs) {
    expect(truth).toHaveLength(latents.verdict.length);
    expect(correctness.confusion.novel.novel).toBeGreaterThan(20);
    expect(correctness.precision).toBeGreaterThan(0.95);
    expect(correctness.recall).toBeGreaterThan(0.9);
  }
  expect(Math.abs(trajectory.ends.end.relativeDifference)).toBeLessThan(1e-6);
  expect(stitch.result.latents).toBe(128);
  expect(decomposed.metaSae.varianceExplained).toBeGreaterThan(
    decomposed.randomDirections.varianceExplained + 0.3,
  );
  expect(decomposed.found / decomposed.hidden).toBeGreaterThan(0.9);
  expect(decomposed.precision).toBeGreaterThan(0.85);
  expect(decomposed.recall).toBeGreaterThan(0.85);
});

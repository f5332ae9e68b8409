import { beforeAll, describe, expect, test } from "vitest";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import type { CodedSample } from "../codes/coded-sample.ts";
import { DataError, UnsupportedError } from "../errors.ts";
import { createWasmKernels } from "../kernels/wasm-kernels.ts";
import { zeros } from "../tensor/matrix.ts";
import { makeToyWorld, type ToyWorld } from "../toy-world/toy-world.ts";
import { measureDictionaries } from "./dictionary.ts";
import { readEvaluationHalf } from "./half-sample.ts";
import { whose } from "./latent-pool.ts";
import { type Stitched, type StitchProgress, stitchLatents } from "./stitch-latents.ts";

describe("stitchLatents()", () => {
  const kernels = createWasmKernels();
  let world: ToyWorld;
  let coded: CodedSample;
  let stitched: Stitched;
  const seen: StitchProgress[] = [];
  const budget = { latents: 160, l0: 4 };

  beforeAll(async () => {
    world = makeToyWorld({ documents: 120, d: 64 });
    coded = codeSample([world.smaller, world.larger], world.source, await kernels);
    stitched = await stitchLatents(coded, await kernels, { ...budget, seed: 4 }, (progress) => {
      seen.push(progress);
    });
  });

  test("keeps within the budget, and its figures are those of the documents it did not choose on", async () => {
    const { dictionary, pool, comparison, row, halves } = stitched;
    expect(dictionary.latents.length).toBeLessThanOrEqual(budget.latents);
    const batches = readEvaluationHalf(coded, pool, { seed: 4 });
    const [metrics] = await measureDictionaries([dictionary], pool, batches, await kernels);
    expect(metrics.tokens).toBe(halves.evaluation.tokens);
    expect(halves.selection.documents + halves.evaluation.documents).toBe(120);
    const chosen = comparison.rows[row];
    expect(chosen).toMatchObject({ method: "greedy", refit: "bias", mse: metrics.mse, l0: metrics.l0 });
    expect(chosen.latents).toBe(dictionary.latents.length);
  });

  test("shows every rival with and without re-fit, at the common L0 or below", () => {
    const { rows, l0, curves } = stitched.comparison;
    expect(l0).toBe(budget.l0);
    const shown = (method: string) => rows.filter((row) => row.method === method).map(({ refit }) => refit);
    for (const method of ["greedy", "threshold", "random", "concatenation"])
      expect(shown(method)).toEqual(method in omissions(stitched) ? [] : ["bias", "decoder"]);
    for (const row of rows) {
      expect(row.latents).toBeLessThanOrEqual(budget.latents);
      expect(row.l0).toBeLessThan(1.1 * l0);
      if (row.matching === "lowered") expect(row.l0).toBeGreaterThan(0.9 * l0);
    }
    for (const { points } of curves)
      points.forEach(({ l0: cost }, i) => {
        if (i > 0) expect(cost).toBeLessThan(points[i - 1].l0);
      });
  });

  test("beats the published recipe and a random choice at equal latents and L0", () => {
    const mse = (method: string, refit: string) =>
      stitched.comparison.rows.find((row) => row.method === method && row.refit === refit)!.mse;
    expect(mse("greedy", "bias")).toBeLessThan(mse("threshold", "bias"));
    for (const refit of ["bias", "decoder"]) expect(mse("greedy", refit)).toBeLessThan(mse("random", refit));
    expect(mse("greedy", "decoder")).toBeLessThan(mse("greedy", "bias"));
  });

  test("chooses anew where directions are re-fitted, and then beats what was chosen without that in mind", async () => {
    const refitted = await stitchLatents(coded, await kernels, { ...budget, decoder: "refit", seed: 4 });
    const { rows } = refitted.comparison;
    const chosen = rows[refitted.row];
    expect(chosen).toMatchObject({ method: "greedy", refit: "decoder" });
    expect(chosen.notes.join()).toContain("chosen for re-fitted directions");
    expect(refitted.refitExchange!.rounds.kept).toBeGreaterThan(0);
    expect(Array.from(refitted.dictionary.latents)).toEqual(Array.from(refitted.refitExchange!.latents));
    for (const row of rows)
      if (row.refit === "decoder" && row !== chosen) expect(chosen.mse).toBeLessThan(row.mse);
    expect(stitched.refitExchange).toBe(null);
  });

  test("gives evidence for each chosen latent, most of which improve the rest", () => {
    const { evidence, dictionary, halves } = stitched;
    expect(evidence.deltaMse).toHaveLength(dictionary.latents.length);
    expect(evidence.documents).toBe(halves.evaluation.documents);
    const improving = evidence.deltaMse.filter((delta) => delta < 0);
    expect(improving.length).toBeGreaterThan(0.8 * dictionary.latents.length);
    expect(evidence.verdict.filter((verdict) => verdict === "reconstruction").length).toBeLessThan(5);
  });

  test("tells how far it is, and waits when asked to", async () => {
    expect(new Set(seen.map(({ phase }) => phase))).toEqual(
      new Set(["read", "select", "exchange", "fit", "measure", "evidence"]),
    );
    const fitted = seen.filter(({ phase }) => phase === "fit");
    const [{ of }] = fitted;
    const done = fitted.map((progress) => progress.done);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(done.filter(Number.isInteger)).toEqual(
      expect.arrayContaining(Array.from({ length: of }, (_, i) => i + 1)),
    );
    // Within a re-fit too, which may take long.
    expect(done.filter((part) => !Number.isInteger(part)).length).toBeGreaterThan(of);
    let isWaitedFor = true;
    let open = 0;
    await stitchLatents(coded, await kernels, budget, async () => {
      isWaitedFor &&= ++open === 1;
      await Promise.resolve();
      open--;
    });
    expect(isWaitedFor).toBe(true);
  });

  test("can follow the published recipe, and take an SAE for comparison only", async () => {
    const options = { method: "threshold", candidates: 1, decoder: "refit" } as const;
    const result = await stitchLatents(coded, await kernels, options);
    const smaller = world.smaller.decoder.rows;
    expect(Array.from(result.dictionary.latents)).toEqual(Array.from({ length: smaller }, (_, id) => id));
    expect(result.comparison.rows[result.row]).toMatchObject({ method: "threshold", refit: "decoder" });
    expect(result.search.latents.every((id) => whose(result.pool, id).sae === 0)).toBe(true);
    const trained = result.comparison.rows.filter(({ method }) => method === "trained");
    expect(trained.map(({ sae, refit }) => [sae, refit])).toEqual([
      [0, "none"],
      [0, "bias"],
      [0, "decoder"],
      [1, "none"],
      [1, "bias"],
      [1, "decoder"],
    ]);
  });

  test("refuses what cannot be met, and says what can", async () => {
    const run = async (options: Parameters<typeof stitchLatents>[2]) =>
      stitchLatents(coded, await kernels, options);
    await expect(run({ latents: 0 })).rejects.toThrow(UnsupportedError);
    await expect(run({ candidates: 3 })).rejects.toThrow(/2 are given/);
    await expect(run({ method: "threshold", latents: 2 })).rejects.toThrow(/Give at least that/);
    const one = activationsInMemory(zeros(5, 64), { documentIds: new Int32Array(5) });
    await expect(
      stitchLatents(codeSample([world.smaller], one, await kernels), await kernels),
    ).rejects.toThrow(DataError);
  });
});

function omissions({ omitted }: Stitched): Record<string, string> {
  return Object.fromEntries(omitted.map(({ method, why }) => [method, why]));
}

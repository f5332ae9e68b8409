import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { excludeTokens, findBosToken, label, openSafetensors } from "@saestitch/core";
import { openActivations, openFile, openKernels, readSae } from "@saestitch/core/node";
import { beforeAll, describe, expect, test } from "vitest";
import { realData } from "../core/test-support/real-data.ts";

const { folder: model, isThere } = realData();

interface Expected {
  readonly saes: Record<
    string,
    { mse_per_element: number; variance_explained: number; l0: number; dead: number; tokens: number }
  >;
  readonly pairs: Record<
    string,
    { auc_low_cosine_predicts_improves: number; improves: number; "below_0.7": number }
  >;
}

/** Figures measured in Python on five ReLU SAEs of a real language model; see the README of the data. */
describe.skipIf(!isThere)("label() on a real model's SAEs", () => {
  let expected: Expected;
  beforeAll(async () => {
    expected = JSON.parse(await readFile(join(model, "saes/expected.json"), "utf8"));
  });

  test.each(["128-256", "256-512", "512-1024", "1024-2048", "128-2048"])(
    "agrees with Python on %s",
    async (pairName) => {
      const widths = pairName.split("-");
      const [smaller, larger] = await Promise.all(
        widths.map((m) => readSae(join(model, `saes/blocks.2.hook_resid_post_${m}`))),
      );
      const activations = await openActivations(join(model, "activations"));
      const bos = await findBosToken(activations);
      expect(bos).toBe(1);
      const kernels = await openKernels();
      const labels = await label(smaller, larger, excludeTokens(activations, [1]), kernels);
      await Promise.all([kernels.close(), activations.close()]);
      const file = await openFile(join(model, `saes/expected/${pairName}.safetensors`));
      const python = await openSafetensors(file);
      const [deltaSse, alpha, cosine] = await Promise.all(
        ["delta_sse_per_token", "scale_alpha", "max_cosine"].map((name) => python.readFloat64(name)),
      );
      const match = await python.readInt32("match");
      await file.close();

      expect(labels.excluded).toBe(1000);
      expect(labels.documents).toBe(1000);
      [labels.smaller, labels.larger].forEach((measured, i) => {
        const stated = expected.saes[widths[i]];
        expect(measured.tokens).toBe(stated.tokens);
        expect(measured.mse / stated.mse_per_element).toBeCloseTo(1, 5);
        expect(measured.varianceExplained).toBeCloseTo(stated.variance_explained, 5);
        expect(measured.l0 / stated.l0).toBeCloseTo(1, 4);
        expect(Math.round(measured.deadShare * Number(widths[i]))).toBe(stated.dead);
      });

      const { latents } = labels;
      const largest = deltaSse.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 64;
      for (let j = 0; j < deltaSse.length; j++) {
        expect(Math.abs(latents.deltaMse[j] - deltaSse[j] / 64)).toBeLessThanOrEqual(1e-4 * largest);
        expect(Math.abs(latents.cosine[j] - cosine[j])).toBeLessThanOrEqual(1e-5);
        if (latents.verdict[j] !== "dead") expect(latents.scale[j]).toBeCloseTo(alpha[j], 3);
      }
      expect(Array.from(latents.match)).toEqual(Array.from(match));
      const pair = expected.pairs[pairName];
      expect(
        Math.abs((labels.predictor.auc ?? 0) - pair.auc_low_cosine_predicts_improves),
      ).toBeLessThanOrEqual(0.001);
      const live = Array.from(latents.verdict.keys()).filter((j) => latents.verdict[j] !== "dead");
      expect(live.filter((j) => latents.deltaMse[j] < 0).length).toBe(pair.improves);
      expect(latents.cosine.filter((cosine) => cosine < 0.7).length).toBe(pair["below_0.7"]);
    },
  );
});

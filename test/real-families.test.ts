import { join } from "node:path";
import { codeSample, excludeTokens, measureFamilies, openSafetensors } from "@saestitch/core";
import { openActivations, openFile, openKernels, readSae } from "@saestitch/core/node";
import { describe, expect, test } from "vitest";
import { realData } from "../core/test-support/real-data.ts";

const { folder: model, isThere } = realData();

describe.skipIf(!isThere)("measureFamilies() on a real model's SAEs", () => {
  test("agrees with Python on lone latents, and finds families and kinds of 256 → 512", async () => {
    const [smaller, larger] = await Promise.all(
      [256, 512].map((m) => readSae(join(model, `saes/blocks.2.hook_resid_post_${m}`))),
    );
    const activations = await openActivations(join(model, "activations"));
    const kernels = await openKernels();
    const coded = codeSample([smaller, larger], excludeTokens(activations, [1]), kernels);
    const cosine = await measureFamilies(coded, kernels);
    const evidence = await measureFamilies(coded, kernels, { rule: "evidence" });
    await Promise.all([kernels.close(), activations.close()]);
    const file = await openFile(join(model, "saes/expected/256-512.safetensors"));
    const deltaSse = await (await openSafetensors(file)).readFloat64("delta_sse_per_token");
    await file.close();

    cosine.insertion.deltaMse.forEach((value, j) => {
      expect(value / (deltaSse[j] / 64)).toBeCloseTo(1, 4);
    });
    let lone = 0;
    cosine.families.forEach((family, f) => {
      if (family.smaller.length > 0) return;
      lone++;
      expect(cosine.swaps.deltaMse[f] / (deltaSse[family.larger[0]] / 64)).toBeCloseTo(1, 4);
    });
    expect(lone).toBe(154);

    const { l0 } = cosine.smaller;
    const gained = cosine.swaps.deltaL0.reduce((sum, delta) => sum + delta, 0);
    expect(l0 + gained).toBeCloseTo(cosine.larger.l0, 9);
    expect(cosine.sizes.warning).toBeNull();
    const largest = ({ families, sizes: { largest } }: typeof cosine) => families[largest!].larger.length;
    expect(largest(evidence)).toBeLessThan(largest(cosine));
    const count = (kind: string) => cosine.kinds.filter((found) => found.kind === kind).length;
    expect(count("novel")).toBe(cosine.insertion.verdict.filter((verdict) => verdict === "novel").length);
    expect(count("copy")).toBeGreaterThan(150);
    expect(count("absorbing")).toBeGreaterThan(10);
  });
});

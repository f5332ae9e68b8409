import { type Kernels, label, makeToyWorld } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { afterAll, beforeAll, expect, test } from "vitest";

let kernels: Kernels;
beforeAll(async () => {
  kernels = await openKernels();
});
afterAll(() => kernels.close());

test.each([
  ["relu", {}],
  ["jumprelu", {}],
  ["topk", {}],
  ["topk", { gating: "joint" }],
  ["relu", { bias: "refit" }],
] as const)(
  "label() calls every planted latent of a %s world right, options %o",
  async (architecture, options) => {
    const world = makeToyWorld({ seed: 2, architecture });
    const { latents, excluded } = await label(world.smaller, world.larger, world.source, kernels, options);
    const expected = world.truth.map(({ kind }) => (kind === "novel" ? "novel" : "reconstruction"));
    expect(latents.verdict).toEqual(expected);
    expect(excluded).toBe(1600);
  },
);

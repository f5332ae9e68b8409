import { expect, test } from "vitest";
import { openBrowserKernels } from "../kernels/browser-kernels.ts";
import { makeToyWorld } from "../toy-world/toy-world.ts";
import { label } from "./label.ts";

test("label() on a page's worker threads calls every planted latent right", async () => {
  const world = makeToyWorld();
  const kernels = await openBrowserKernels({ threads: 2 });
  expect(kernels.name).toBe("wasm, 2 threads");
  const { latents } = await label(world.smaller, world.larger, world.source, kernels);
  await kernels.close();
  const expected = world.truth.map(({ kind }) => (kind === "novel" ? "novel" : "reconstruction"));
  expect(latents.verdict).toEqual(expected);
});

import { expect, test } from "vitest";
import { activationsInMemory } from "../activations/in-memory.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { label } from "../labelling/label.ts";
import { matrix } from "../tensor/matrix.ts";
import { makeToyWorld } from "../toy-world/toy-world.ts";
import { measureReconstruction, measureReconstructions } from "./measure-reconstruction.ts";

const world = makeToyWorld({ documents: 20 });

test("measureReconstruction() agrees with label, counts what is left out, and stops at the row asked for", async () => {
  const measured = await measureReconstruction(world.smaller, world.source, referenceKernels, {
    batchRows: 100,
  });
  const labels = await label(world.smaller, world.larger, world.source, referenceKernels);
  expect(measured.metrics.mse).toBeCloseTo(labels.smaller.mse, 12);
  expect(measured.metrics.l0).toBe(labels.smaller.l0);
  expect([measured.excluded, measured.metrics.tokens]).toEqual([labels.excluded, labels.tokens]);
  const few = await measureReconstruction(world.smaller, world.source, referenceKernels, { end: 30 });
  expect(few.metrics.tokens + few.excluded).toBe(30);
});

test("measureReconstruction() leaves NaN out when asked to, and refuses it otherwise", async () => {
  const x = new Float32Array(3 * world.source.d).fill(0.1);
  x[world.source.d] = Number.NaN;
  const source = activationsInMemory(matrix(3, world.source.d, x));
  const { metrics, nonFinite } = await measureReconstruction(world.smaller, source, referenceKernels, {
    skipNonFinite: true,
    batchRows: 2,
  });
  expect([metrics.tokens, nonFinite]).toEqual([2, 1]);
  await expect(measureReconstruction(world.smaller, source, referenceKernels)).rejects.toThrow("row 1");
});

test("measureReconstructions() gives each SAE what it gets alone, and reads the sample once", async () => {
  let readings = 0;
  const source = {
    ...world.source,
    batches(options?: Parameters<typeof world.source.batches>[0]) {
      readings++;
      return world.source.batches(options);
    },
  };
  const saes = [world.smaller, world.larger];
  const rows: number[] = [];
  const together = await measureReconstructions(saes, source, referenceKernels, {
    batchRows: 200,
    end: 500,
    onRows: (done) => rows.push(done),
  });
  expect([readings, ...rows]).toEqual([1, 200, 400, 500]);
  for (const [s, sae] of saes.entries())
    expect(together[s]).toEqual(
      await measureReconstruction(sae, world.source, referenceKernels, { batchRows: 200, end: 500 }),
    );
});

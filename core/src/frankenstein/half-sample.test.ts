import { describe, expect, test } from "vitest";
import { documentsOf } from "../../test-support/measure.ts";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import { DataError } from "../errors.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { measureReconstruction } from "../metrics/measure-reconstruction.ts";
import type { Normalization } from "../sae/sae.ts";
import { measureDictionaries } from "./dictionary.ts";
import { type EvaluationBatch, readEvaluationHalf, readSelectionHalf } from "./half-sample.ts";
import { directionsOf, latentsOf, poolLatents } from "./latent-pool.ts";

const kinds: Normalization["kind"][] = ["none", "layer-norm", "unit-mean-square"];

function sampleOf(kind: Exclude<Normalization["kind"], "expected-average">, rows = 90) {
  const random = seededRandom(3);
  const saes = [6, 9].map((latents) => randomSae(random, 8, latents, { normalization: { kind } }));
  const x = randomMatrix(random, rows, 8, 2);
  const source = activationsInMemory(x, { documentIds: documentsOf(random, rows) });
  return { saes, source, coded: codeSample(saes, source, kernels), pool: poolLatents(saes) };
}

describe("readSelectionHalf() and readEvaluationHalf()", () => {
  test.each(kinds)(
    "share a sample between them, in which an SAE writes what it always wrote (%s)",
    async (kind) => {
      const { saes, source, coded, pool } = sampleOf(kind as "none");
      const selection = await readSelectionHalf(coded, pool, { seed: 5 });
      const asBatch: EvaluationBatch = { ...selection, activations: selection.target, end: 0 };
      async function* selected() {
        yield asBatch;
      }
      for (const [s, sae] of saes.entries()) {
        const latents = latentsOf(pool, s);
        const own = { latents, directions: directionsOf(pool, latents), bias: sae.decoderBias, floor: 0 };
        const halves = [
          await measureDictionaries([own], pool, selected(), kernels),
          await measureDictionaries([own], pool, readEvaluationHalf(coded, pool, { seed: 5 }), kernels),
        ].flat();
        const { metrics } = await measureReconstruction(sae, source, kernels);
        expect(halves[0].tokens + halves[1].tokens).toBe(metrics.tokens);
        expect((halves[0].sse + halves[1].sse) / metrics.sse).toBeCloseTo(1, 5);
        expect(halves[0].l0 * halves[0].tokens + halves[1].l0 * halves[1].tokens).toBeCloseTo(
          metrics.l0 * 90,
          6,
        );
      }
      const documents = new Set(selection.documents);
      for await (const batch of readEvaluationHalf(coded, pool, { seed: 5 }))
        for (const document of batch.documents) expect(documents.has(document)).toBe(false);
      expect(selection.counts.selection.tokens).toBe(selection.target.rows);
      expect(selection.counts.selection.documents).toBe(documents.size);
    },
  );

  test("refuse a sample of one document", async () => {
    const random = seededRandom(1);
    const sae = randomSae(random, 8, 4);
    const source = activationsInMemory(randomMatrix(random, 9, 8), { documentIds: new Int32Array(9) });
    await expect(readSelectionHalf(codeSample([sae], source, kernels), poolLatents([sae]))).rejects.toThrow(
      DataError,
    );
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { documentsOf, measure } from "../../test-support/measure.ts";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { bytesSource } from "../formats/bytes-source.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { insertionEffect } from "./insertion-effect.ts";
import { pairSaes } from "./label.ts";
import { type LabelSums, mergeLabelSums } from "./label-sums.ts";
import { decodeLabelSums, encodeLabelSums } from "./label-sums-file.ts";
import { emptyLabelSums } from "./measure-insertion.ts";

const d = 6;

describe("LabelSums", () => {
  test("of two stretches merge into the sums of both, wherever the cut falls", async () => {
    const random = seededRandom(11);
    const rows = 45;
    const x = randomMatrix(random, rows, d);
    const source = activationsInMemory(x, { documentIds: documentsOf(random, rows) });
    const pair = await pairSaes(randomSae(random, d, 8), randomSae(random, d, 10), kernels);
    const whole = await measure(pair, source);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: rows }),
        fc.integer({ min: 0, max: rows }),
        async (one, two) => {
          const cuts = [0, Math.min(one, two), Math.max(one, two), rows];
          const parts: LabelSums[] = [];
          for (let i = 0; i < 3; i++)
            parts.push(
              await measure(pair, source, { from: emptyLabelSums(pair, cuts[i]), end: cuts[i + 1] }),
            );
          for (const merged of [
            mergeLabelSums(mergeLabelSums(parts[0], parts[1]), parts[2]),
            mergeLabelSums(parts[0], mergeLabelSums(parts[1], parts[2])),
          ]) {
            const meanResidual = new Float64Array(d);
            const a = insertionEffect(merged.insertion, pair.larger.decoder, { meanResidual });
            const b = insertionEffect(whole.insertion, pair.larger.decoder, { meanResidual });
            for (let j = 0; j < 10; j++) {
              expect(Math.abs(a.deltaMse[j] - b.deltaMse[j])).toBeLessThanOrEqual(
                1e-9 * Math.abs(b.deltaMse[j]),
              );
              expect(Math.abs(a.standardError[j] - b.standardError[j])).toBeLessThanOrEqual(
                1e-9 * b.standardError[j],
              );
            }
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  test("stored, read back and gone on from give the bits of a run that never stopped", async () => {
    const random = seededRandom(12);
    const x = randomMatrix(random, 50, d);
    const source = activationsInMemory(x, { documentIds: documentsOf(random, 50) });
    const pair = await pairSaes(randomSae(random, d, 8), randomSae(random, d, 10), kernels);
    const whole = await measure(pair, source);
    for (const stop of [0, 7, 28, 49]) {
      const half = await measure(pair, source, { end: stop });
      const bytes = new Blob([...encodeLabelSums(half, { note: "kept" })] as BlobPart[]);
      const stored = bytesSource("checkpoint", new Uint8Array(await bytes.arrayBuffer()));
      const { sums, key } = await decodeLabelSums(stored, pair);
      expect(key.note).toBe("kept");
      expect(sums).toEqual(half);
      expect(await measure(pair, source, { from: sums })).toEqual(stop % 7 === 0 ? whole : expect.anything());
    }
  });
});

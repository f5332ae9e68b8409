import { describe, expect, test } from "vitest";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { label } from "./label.ts";

const d = 6;

describe("label()", () => {
  test("calls a copy of a host latent a reconstruction and a latent along what is missing novel", async () => {
    const random = seededRandom(21);
    const axes = (rows: number[]) => ({
      ...randomSae(random, d, rows.length),
      encoder: unitRows(rows),
      decoder: unitRows(rows),
      encoderBias: new Float32Array(rows.length),
      decoderBias: new Float32Array(d),
      inputBias: new Float32Array(d),
    });
    const x = randomMatrix(random, 400, d);
    const documentIds = Int32Array.from({ length: 400 }, (_, i) => i >> 2);
    const labels = await label(
      axes([0, 1]),
      axes([0, 1, 2, 3]),
      activationsInMemory(x, { documentIds }),
      kernels,
    );
    expect(labels.latents.verdict).toEqual(["reconstruction", "reconstruction", "novel", "novel"]);
    expect(labels.latents.agreement[0]).toBeCloseTo(1, 6);
    expect(labels.latents.matchPrecision[1]).toBe(1);
    expect(labels.predictor.auc).toBe(1);
    expect(labels.documents).toBe(100);
    expect(labels.larger.mse).toBeLessThan(labels.smaller.mse);
  });
});

function unitRows(axes: number[]): Matrix {
  const values = new Float32Array(axes.length * d);
  axes.forEach((axis, j) => {
    values[j * d + axis] = 1;
  });
  return { rows: axes.length, columns: d, values };
}

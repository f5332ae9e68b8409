import { expect, test } from "vitest";
import { safetensorsBytes } from "../../../test-support/saelens-files.ts";
import { bytesSource } from "../../formats/bytes-source.ts";
import { openSafetensors } from "../../formats/safetensors.ts";
import { readMatrix, readTransposed } from "./read-tensors.ts";

test("readMatrix() and readTransposed() put together what is read in several blocks", async () => {
  const [rows, columns] = [5, 2 ** 20];
  const values = Float32Array.from({ length: rows * columns }, (_, p) => p);
  const file = safetensorsBytes({ weights: { shape: [rows, columns], values } });
  const tensors = await openSafetensors(bytesSource("weights.safetensors", file));
  const whole = await readMatrix(tensors, "weights", rows, columns);
  expect([whole.rows, whole.columns]).toEqual([rows, columns]);
  expect(whole.values.every((value, p) => value === p)).toBe(true);
  const transposed = await readTransposed(tensors, "weights", rows, columns);
  expect([transposed.rows, transposed.columns]).toEqual([columns, rows]);
  const wrong = transposed.values.findIndex(
    (value, p) => value !== (p % rows) * columns + Math.floor(p / rows),
  );
  expect(wrong).toBe(-1);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { denseCode } from "../../test-support/plain-forward.ts";
import { randomCode } from "../kernels/random-arguments.conformance.ts";
import { seededRandom } from "../linalg/random.ts";
import { transposeCode } from "./transpose-code.ts";

const anyCode = fc
  .record({ rows: fc.nat(12), columns: fc.nat(12), seed: fc.integer() })
  .map(({ rows, columns, seed }) => randomCode(seededRandom(seed), rows, columns));

test("transposeCode() lists for every latent its tokens, ascending, and how strongly it is active on them", () => {
  const code = {
    rows: 3,
    columns: 4,
    offsets: Int32Array.of(0, 2, 2, 4),
    indices: Int32Array.of(0, 3, 2, 3),
    values: Float32Array.of(1, 2, 3, 4),
  };
  expect(transposeCode(code)).toEqual({
    rows: 4,
    columns: 3,
    offsets: Int32Array.of(0, 1, 1, 2, 4),
    indices: Int32Array.of(0, 2, 0, 2),
    values: Float32Array.of(1, 3, 2, 4),
  });
});

test("transposeCode() turns the matrix of a code around", () => {
  fc.assert(
    fc.property(anyCode, (code) => {
      const dense = denseCode(code);
      const turned = Array.from({ length: code.columns }, (_, j) => dense.map((row) => row[j]));
      const transposed = transposeCode(code);
      expect(denseCode(transposed)).toEqual(turned);
      expect(transposed.indices.length).toBe(code.indices.length);
    }),
  );
});

test("transposeCode() of its own result is the code again, in order", () => {
  fc.assert(
    fc.property(anyCode, (code) => {
      expect(transposeCode(transposeCode(code))).toEqual(code);
    }),
  );
});

test("transposeCode() gives memory that worker threads share", () => {
  const { offsets, indices, values } = transposeCode(randomCode(seededRandom(1), 9, 9));
  for (const array of [offsets, indices, values]) expect(array.buffer).toBeInstanceOf(SharedArrayBuffer);
});

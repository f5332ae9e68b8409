import { expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { whole } from "../../test-support/whole.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { bytesSource } from "./bytes-source.ts";
import { encodeNpy } from "./encode-npy.ts";
import { encodeNpz } from "./encode-npz.ts";
import { openNpy } from "./npy.ts";
import { openNpz } from "./npz.ts";
import type { TensorToWrite } from "./tensor-to-write.ts";

test.each(["b1", "u1", "i1", "i2", "f2", "i4", "i8", "f8", "scalar", "empty"])(
  "encodeNpy() writes what was read from %s.npy byte for byte as numpy",
  async (name) => {
    const golden = await readFixture(`formats/${name}.npy`);
    const { dtype, shape, ...npy } = await openNpy(bytesSource(name, golden));
    const values = dtype === "F64" ? numbersOf(golden) : await npy.readFloat32();
    const { byteLength, chunks } = encodeNpy({ name, dtype, shape, values });
    expect(await whole(chunks)).toEqual(golden);
    expect(byteLength).toBe(golden.length);
  },
);

/** The elements of an npy file of float64, which float32 would round. */
function numbersOf(npy: Uint8Array<ArrayBuffer>): Float64Array {
  return new Float64Array(npy.slice(10 + npy[8] + 256 * npy[9]).buffer);
}

test("encodeNpy() refuses an element type that npy files do not have", () => {
  const tensor: TensorToWrite = { name: "x", dtype: "BF16", shape: [1], values: Float32Array.of(1) };
  expect(() => encodeNpy(tensor)).toThrow(UnsupportedError);
});

const tensors: readonly TensorToWrite[] = [
  { name: "W", dtype: "F32", shape: [2, 3], values: Float32Array.of(1, -2, 3.5, 4, 5, 6) },
  { name: "none", dtype: "F32", shape: [0, 3], values: new Float32Array(0) },
  { name: "scalar", dtype: "F32", shape: [], values: Float32Array.of(7) },
  {
    name: "long",
    dtype: "F32",
    shape: [300_000],
    values: Float32Array.from({ length: 300_000 }, (_, i) => i),
  },
];

test("what encodeNpz() writes, openNpz() reads", async () => {
  const npz = await openNpz(bytesSource("x", await whole(encodeNpz(tensors))));
  expect(npz.names).toEqual(tensors.map(({ name }) => name));
  for (const { name, shape, values } of tensors)
    expect(await npz.readFloat32(name)).toEqual({ shape, values });
});

test("encodeNpz() refuses one name twice", () => {
  expect(() => encodeNpz([tensors[0], tensors[0]])).toThrow(ShapeError);
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { DataError, ShapeError } from "../errors.ts";
import { type DType, dtypeBytes, isDType, toFloat64 } from "../tensor/dtype.ts";
import { bytesSource } from "./bytes-source.ts";
import { encodeSafetensors } from "./encode-safetensors.ts";
import { openSafetensors } from "./safetensors.ts";
import type { TensorToWrite } from "./tensor-to-write.ts";

const file = (tensors: Iterable<TensorToWrite>, metadata?: Record<string, string>) =>
  new Uint8Array([...encodeSafetensors(tensors, metadata)].flatMap((chunk) => [...chunk]));

test.each(["all-dtypes.safetensors", "no-tensors.safetensors", "rounding.safetensors"])(
  "encodeSafetensors() writes what was read from %s byte for byte as the reference implementation",
  async (name) => {
    const golden = await readFixture(`formats/${name}`);
    const opened = await openSafetensors(bytesSource(name, golden));
    const tensors: TensorToWrite[] = [];
    for (const [tensor, { dtype, shape }] of opened.tensors) {
      if (!isDType(dtype)) throw new Error(`${tensor} of ${name} cannot be written`);
      tensors.push({ name: tensor, dtype, shape, values: await opened.readFloat64(tensor) });
    }
    expect(file(tensors.reverse(), opened.metadata)).toEqual(golden);
  },
);

/** Numbers that each element type holds exactly. */
const numbers: Record<DType, fc.Arbitrary<number>> = {
  BOOL: fc.integer({ min: 0, max: 1 }),
  U8: fc.integer({ min: 0, max: 255 }),
  I8: fc.integer({ min: -128, max: 127 }),
  U16: fc.integer({ min: 0, max: 2 ** 16 - 1 }),
  I16: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
  U32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  I32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  U64: fc.maxSafeNat(),
  I64: fc.maxSafeInteger(),
  F16: fc
    .integer({ min: 0, max: 65535 })
    .map((bits) => toFloat64(Uint8Array.of(bits & 255, bits >> 8), "F16")[0]),
  BF16: fc
    .integer({ min: 0, max: 65535 })
    .map((bits) => toFloat64(Uint8Array.of(bits & 255, bits >> 8), "BF16")[0]),
  F32: fc.float(),
  F64: fc.double(),
};

const tensor = fc
  .tuple(
    fc.string({ unit: "binary" }),
    fc.constantFrom(...(Object.keys(dtypeBytes) as DType[])),
    fc.array(fc.nat(4), { maxLength: 4 }),
  )
  .chain(([name, dtype, shape]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return fc
      .array(numbers[dtype], { minLength: length, maxLength: length })
      .map((values) => ({ name, dtype, shape, values: Float64Array.from(values) }));
  })
  .filter(({ name }) => name !== "__metadata__");

test("what encodeSafetensors() writes, openSafetensors() reads, for all types, shapes and names", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 }),
      fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })),
      async (tensors, metadata) => {
        const bytes = file(tensors, metadata);
        const opened = await openSafetensors(bytesSource("x", bytes));
        expect(Object.entries(opened.metadata).sort()).toEqual(Object.entries(metadata).sort());
        expect(opened.tensors.size).toBe(tensors.length);
        for (const { name, dtype, shape, values } of tensors) {
          const info = opened.info(name);
          expect([info.dtype, info.shape]).toEqual([dtype, shape]);
          expect(info.start % dtypeBytes[dtype]).toBe(0);
          expect(await opened.readFloat64(name)).toEqual(values);
        }
      },
    ),
  );
});

test("encodeSafetensors() gives large tensors in chunks", async () => {
  const values = Float32Array.from({ length: 600_000 }, (_, i) => i);
  const chunks = [...encodeSafetensors([{ name: "x", dtype: "F32", shape: [600, 1000], values }])];
  expect(chunks.length).toBe(4);
  expect(Math.max(...chunks.map(({ length }) => length))).toBe(2 ** 20);
  const whole = new Uint8Array(await new Blob(chunks).arrayBuffer());
  expect(await (await openSafetensors(bytesSource("x", whole))).readFloat32("x")).toEqual(values);
});

test("encodeSafetensors() writes values that come in pieces as those of one array", () => {
  const values = Float32Array.from({ length: 10 }, (_, i) => i);
  const pieces = () => [values.subarray(0, 3), values.subarray(3, 3), values.subarray(3)];
  const tensor: TensorToWrite = { name: "x", dtype: "F32", shape: [2, 5], values };
  expect(file([{ ...tensor, values: { length: 10, pieces } }])).toEqual(file([tensor]));
});

test("encodeSafetensors() refuses values that do not fill their shape", () => {
  for (const shape of [[2], [3, 0], [1.5, 2], [-3, -1], []]) {
    expect(() =>
      encodeSafetensors([{ name: "x", dtype: "F32", shape, values: new Float32Array(3) }]),
    ).toThrow(ShapeError);
  }
});

test("encodeSafetensors() refuses one name twice and the name of the metadata", () => {
  const x: TensorToWrite = { name: "x", dtype: "F32", shape: [1], values: new Float32Array(1) };
  expect(() => encodeSafetensors([x, x])).toThrow(ShapeError);
  expect(() => encodeSafetensors([{ ...x, name: "__metadata__" }])).toThrow(ShapeError);
});

test("encodeSafetensors() refuses a value that the type cannot hold", () => {
  const tensor: TensorToWrite = { name: "x", dtype: "U8", shape: [1], values: Float32Array.of(256) };
  expect(() => [...encodeSafetensors([tensor])]).toThrow(DataError);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { DataError, FormatError } from "../errors.ts";
import { bytesSource } from "../formats/bytes-source.ts";
import { openSafetensors } from "../formats/safetensors.ts";
import {
  type DType,
  dtypeBytes,
  encode,
  isDType,
  reverseBytes,
  toFloat32,
  toFloat64,
  toInt32,
} from "./dtype.ts";

const dtypes = Object.keys(dtypeBytes) as DType[];
const every16Bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
const bytesOf = (array: ArrayBufferView<ArrayBuffer>) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** A floating-point number by the definition of IEEE 754, bit by bit. */
function plainFloat(bits: number, exponentBits: number, fractionBits: number): number {
  const digits = bits.toString(2).padStart(1 + exponentBits + fractionBits, "0");
  const sign = digits[0] === "1" ? -1 : 1;
  const exponent = Number.parseInt(digits.slice(1, 1 + exponentBits), 2);
  const fraction = [...digits.slice(1 + exponentBits)].reduce(
    (sum, bit, i) => sum + Number(bit) * 2 ** -(i + 1),
    0,
  );
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 * bias + 1) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** The nearest of all values of a 16-bit type, ties to the even pattern, by looking at all of them. */
function plainNearest(value: number, decoded: Float64Array): number {
  let best = 0;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  // One step beyond the largest number stands for infinity, as rounding is defined.
  let infinity = 0;
  while (Number.isFinite(decoded[infinity])) infinity++;
  const beyond = 2 * decoded[infinity - 1] - decoded[infinity - 2];
  let distance = Number.POSITIVE_INFINITY;
  for (let bits = 0; bits <= infinity; bits++) {
    const d = Math.abs(Math.abs(value) - (bits === infinity ? beyond : decoded[bits]));
    if (d < distance || (d === distance && bits % 2 === 0)) [best, distance] = [bits, d];
  }
  return sign | (Math.abs(value) > beyond ? infinity : best);
}

describe.each([
  ["F16", 5, 10],
  ["BF16", 8, 7],
] as const)("%s", (dtype, exponentBits, fractionBits) => {
  const plain = Float64Array.from(every16Bits, (bits) => plainFloat(bits, exponentBits, fractionBits));

  test("decodes all 65 536 patterns as IEEE 754 defines them", () => {
    expect(toFloat64(bytesOf(every16Bits), dtype)).toEqual(plain);
    expect(toFloat32(bytesOf(every16Bits), dtype)).toEqual(Float32Array.from(plain));
  });

  test("encodes every value to its own pattern", () => {
    const back = new Uint16Array(encode(plain, dtype).buffer);
    const wrong = every16Bits.filter((bits) => !Number.isNaN(plain[bits]) && back[bits] !== bits);
    expect([...wrong]).toEqual([]);
    expect(every16Bits.every((bits) => !Number.isNaN(plain[bits]) || Number.isNaN(plain[back[bits]]))).toBe(
      true,
    );
  });

  test("rounds to the nearest value, ties to even", () => {
    const number = fc.oneof(
      fc.double({ noNaN: true }),
      fc.float({ noNaN: true }),
      fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 1, -1)).map(([bits, nudge]) => {
        const at = plain[bits & 0x7fff] || 0;
        const next = plain[(bits + 1) & 0x7fff] || 0;
        const middle = (at + next) / 2;
        return (bits & 0x8000 ? -1 : 1) * middle * (1 + nudge * 2 ** -50);
      }),
    );
    fc.assert(
      fc.property(number.filter(Number.isFinite), (value) => {
        expect(new Uint16Array(encode(Float64Array.of(value), dtype).buffer)[0]).toBe(
          plainNearest(value, plain),
        );
      }),
      { numRuns: 100 },
    );
  });

  test("encodes infinities and NaN", () => {
    const back = toFloat64(
      encode(Float64Array.of(Number.POSITIVE_INFINITY, -1 / 0, Number.NaN), dtype),
      dtype,
    );
    expect([...back]).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
  });

  test("rounds float32 as PyTorch does, bit for bit", async () => {
    const golden = await openSafetensors(
      bytesSource("rounding", await readFixture("formats/rounding.safetensors")),
    );
    const { start, end } = golden.info(dtype.toLowerCase());
    const bytes = (await readFixture("formats/rounding.safetensors")).slice(start, end);
    expect(encode(await golden.readFloat32("f32"), dtype)).toEqual(bytes);
  });
});

test("F32 that is aligned is not copied", () => {
  const stored = Float32Array.of(1, 2, 3);
  expect(toFloat32(bytesOf(stored), "F32").buffer).toBe(stored.buffer);
  expect([...toFloat32(bytesOf(stored).subarray(4), "F32")]).toEqual([2, 3]);
});

test("elements that are not aligned are read all the same", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...dtypes),
      fc.integer({ min: 0, max: 9 }),
      fc.uint8Array({ maxLength: 64 }),
      (dtype, shift, data) => {
        const whole = data.slice(0, data.length - (data.length % dtypeBytes[dtype]));
        const moved = new Uint8Array(shift + whole.length);
        moved.set(whole, shift);
        expect(toFloat64(moved.subarray(shift), dtype)).toEqual(toFloat64(Uint8Array.from(whole), dtype));
      },
    ),
  );
});

test("every type decodes as DataView reads it", () => {
  const plain: Record<Exclude<DType, "F16" | "BF16">, (view: DataView, at: number) => number> = {
    BOOL: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
    U8: (view, at) => view.getUint8(at),
    I8: (view, at) => view.getInt8(at),
    I16: (view, at) => view.getInt16(at, true),
    U16: (view, at) => view.getUint16(at, true),
    I32: (view, at) => view.getInt32(at, true),
    U32: (view, at) => view.getUint32(at, true),
    F32: (view, at) => view.getFloat32(at, true),
    F64: (view, at) => view.getFloat64(at, true),
    I64: (view, at) => Number(view.getBigInt64(at, true)),
    U64: (view, at) => Number(view.getBigUint64(at, true)),
  };
  fc.assert(
    fc.property(
      fc.constantFrom(...(Object.keys(plain) as (keyof typeof plain)[])),
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      (dtype, data) => {
        const bytes = Uint8Array.from(data);
        const value = plain[dtype](new DataView(bytes.buffer), 0);
        expect(toFloat64(bytes, dtype)[0]).toBe(value);
        expect(toFloat32(Uint8Array.from(data), dtype)[0]).toBe(Math.fround(value));
        if ((value | 0) === value)
          expect(toInt32(Uint8Array.from(data.slice(0, dtypeBytes[dtype])), dtype)[0]).toBe(value | 0);
        else
          expect(() => toInt32(Uint8Array.from(data.slice(0, dtypeBytes[dtype])), dtype)).toThrow(
            FormatError,
          );
      },
    ),
    { numRuns: 1000 },
  );
});

test("toInt32() takes floating-point numbers that are integers, and no others", () => {
  expect([...toInt32(encode(Float32Array.of(0, -3, 2048), "F16"), "F16")]).toEqual([0, -3, 2048]);
  expect([...toInt32(encode(Float64Array.of(-(2 ** 31), 2 ** 31 - 1), "F64"), "F64")]).toEqual([
    -(2 ** 31),
    2 ** 31 - 1,
  ]);
  for (const value of [0.5, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => toInt32(encode(Float64Array.of(value), "F64"), "F64", { name: "x.bin" })).toThrow(
      `x.bin holds ${value} at position 0, expected an integer that fits in 32 bits`,
    );
  }
});

test("bytes that are not whole elements are refused by name", () => {
  for (const convert of [toFloat32, toFloat64, toInt32]) {
    expect(() => convert(new Uint8Array(6), "F32", { name: "x.bin" })).toThrow(
      new FormatError("x.bin has 6 bytes, expected a multiple of 4 for elements of type F32"),
    );
  }
});

const limits: Partial<Record<DType, [number, number]>> = {
  BOOL: [0, 1],
  U8: [0, 2 ** 8 - 1],
  I8: [-(2 ** 7), 2 ** 7 - 1],
  U16: [0, 2 ** 16 - 1],
  I16: [-(2 ** 15), 2 ** 15 - 1],
  U32: [0, 2 ** 32 - 1],
  I32: [-(2 ** 31), 2 ** 31 - 1],
};

test("encode() and back gives every integer that the type holds, and refuses the next", () => {
  for (const [dtype, [low, high]] of Object.entries(limits) as [DType, [number, number]][]) {
    expect([...toFloat64(encode(Float64Array.of(low, 1, high), dtype), dtype)]).toEqual([low, 1, high]);
    for (const value of [low - 1, high + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => encode(Float64Array.of(0, value), dtype)).toThrow(
        new DataError(`Cannot write ${value} at position 1 as ${dtype}, which cannot hold it`),
      );
    }
  }
});

test("encode() to 64-bit integers takes what they hold", () => {
  expect([...toFloat64(encode(Float64Array.of(-(2 ** 63), -1, 2 ** 53), "I64"), "I64")]).toEqual([
    -(2 ** 63),
    -1,
    2 ** 53,
  ]);
  expect([...toFloat64(encode(Float64Array.of(2 ** 63, 1), "U64"), "U64")]).toEqual([2 ** 63, 1]);
  for (const value of [2 ** 63, 0.5, Number.NaN])
    expect(() => encode(Float64Array.of(value), "I64")).toThrow(DataError);
  for (const value of [2 ** 64, -1, Number.NaN])
    expect(() => encode(Float64Array.of(value), "U64")).toThrow(DataError);
});

test("encode() to F32 and F64 and back gives the same numbers", () => {
  fc.assert(
    fc.property(fc.float32Array(), (values) => {
      expect(toFloat32(encode(values, "F32"), "F32")).toEqual(Float32Array.from(values));
      expect(toFloat32(encode(values, "F64"), "F64")).toEqual(Float32Array.from(values));
    }),
  );
});

test("reverseBytes() turns each element around", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6);
  reverseBytes(bytes, 3);
  expect([...bytes]).toEqual([3, 2, 1, 6, 5, 4]);
});

test("isDType() knows the types and nothing that objects inherit", () => {
  expect(dtypes.every(isDType)).toBe(true);
  expect(["F8_E4M3", "f32", "toString", "__proto__", ""].some(isDType)).toBe(false);
});

test.each(["F16", "BF16"] as const)(
  "encode() rounds float32 to %s as it rounds float64 of the same values",
  (dtype) => {
    // Every number of 16 bits, and what is a little more and a little less than halfway to the next.
    const bits = Uint32Array.from({ length: 2 ** 16 * 5 }, (_, i) => {
      const offset = [0, 0x0fff, 0x1000, 0x1001, 0x8000][i % 5];
      return Math.floor(i / 5) * 2 ** 16 + offset;
    });
    const values = new Float32Array(bits.buffer);
    expect(encode(values, dtype)).toEqual(encode(Float64Array.from(values), dtype));
  },
);

import { beforeAll, describe, expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { FormatError, ShapeError, UnsupportedError } from "../errors.ts";
import { bytesSource } from "./bytes-source.ts";
import { openNpy } from "./npy.ts";
import { parseNpyHeader } from "./npy-header.ts";

type Expected = Record<string, { "": { shape: number[]; values: number[] } }>;

const file = async (name: string) => bytesSource(name, await readFixture(`formats/${name}`));

/** An npy file of this dictionary and so many bytes of data. */
function written(dictionary: string, dataLength = 0, version = 1): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(dictionary);
  const start = version === 1 ? 10 : 12;
  const bytes = new Uint8Array(start + text.length + dataLength);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, text.length, true);
  else view.setUint32(8, text.length, true);
  bytes.set(text, start);
  return bytes;
}

function refusal(bytes: Uint8Array): string {
  let error: unknown;
  try {
    parseNpyHeader(bytes, "x.npy");
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(FormatError);
  return (error as FormatError).message;
}

describe("a file written by numpy", () => {
  let expected: Expected;
  beforeAll(async () => {
    expected = JSON.parse(new TextDecoder().decode(await readFixture("formats/expected.json")));
  });

  test.each([
    ["f8.npy", "F64"],
    ["f4-version-2.npy", "F32"],
    ["f4-version-3.npy", "F32"],
    ["f2.npy", "F16"],
    ["f4-fortran.npy", "F32"],
    ["f4-big-endian.npy", "F32"],
    ["i8.npy", "I64"],
    ["i4.npy", "I32"],
    ["i2.npy", "I16"],
    ["i1.npy", "I8"],
    ["u1.npy", "U8"],
    ["b1.npy", "BOOL"],
    ["scalar.npy", "F64"],
    ["empty.npy", "F32"],
  ])("openNpy() reads %s", async (name, dtype) => {
    const array = await openNpy(await file(name));
    const { shape, values } = expected[name][""];
    expect(array.shape).toEqual(shape);
    expect(array.dtype).toBe(dtype);
    expect(array.fortranOrder).toBe(name === "f4-fortran.npy");
    expect([...(await array.readFloat32())]).toEqual(values.map((v) => Math.fround(Number(v))));
    if (values.every((v) => Number.isInteger(Number(v)))) {
      expect([...(await array.readInt32())]).toEqual(values.map(Number));
    }
    if (shape.length > 0 && name !== "f4-fortran.npy") {
      const rows = [Math.min(1, shape[0]), shape[0]] as const;
      const width = shape[0] === 0 ? 0 : values.length / shape[0];
      expect([...(await array.readFloat32({ rows }))]).toEqual(
        values.slice(rows[0] * width).map((v) => Math.fround(Number(v))),
      );
    }
  });

  test("readInt32() refuses fractions", async () => {
    await expect((await openNpy(await file("f8.npy"))).readInt32()).rejects.toThrow(FormatError);
  });

  test("some rows of a matrix in Fortran order are refused with advice", async () => {
    const array = await openNpy(await file("f4-fortran.npy"));
    const error: unknown = await array.readFloat32({ rows: [0, 1] }).catch((e) => e);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect((error as Error).message).toContain("numpy.ascontiguousarray");
    expect((await array.readFloat32({ rows: [0, 3] })).length).toBe(12);
  });

  test("pickled objects are never read", async () => {
    await expect(openNpy(await file("object.npy"))).rejects.toThrow(
      new FormatError(
        "object.npy holds pickled Python objects, which is never read; expected an array of numbers",
      ),
    );
  });

  test("records and texts are refused", async () => {
    await expect(openNpy(await file("record.npy"))).rejects.toThrow(
      /record.npy holds records of several fields/,
    );
    await expect(openNpy(await file("text.npy"))).rejects.toThrow(
      /text.npy has elements of type "<U3", expected/,
    );
  });
});

test("readFloat32() of some rows reads their bytes alone", async () => {
  const source = await file("f8.npy");
  const ranges: [number, number][] = [];
  const array = await openNpy({
    ...source,
    read(start, end) {
      ranges.push([start, end]);
      return source.read(start, end);
    },
  });
  expect(Math.max(...ranges.map(([, end]) => end))).toBe(128);
  ranges.length = 0;
  await array.readFloat32({ rows: [1, 2] });
  expect(ranges).toEqual([[128 + 32, 128 + 64]]);
});

test("rows that an array lacks are refused", async () => {
  const array = await openNpy(await file("f8.npy"));
  for (const rows of [
    [-1, 1],
    [2, 4],
    [2, 1],
    [0.5, 1],
  ] as [number, number][]) {
    await expect(array.readFloat32({ rows })).rejects.toThrow(ShapeError);
  }
  await expect((await openNpy(await file("scalar.npy"))).readFloat32({ rows: [0, 1] })).rejects.toThrow(
    ShapeError,
  );
});

test("arrays of three axes in Fortran order come out row-major, of big-endian numbers too", async () => {
  const [a, b, c] = [2, 3, 4];
  const bytes = written(
    `{'descr': '>i2', 'fortran_order': True, 'shape': (${a}, 1, ${b}, ${c})}`,
    a * b * c * 2,
  );
  const view = new DataView(bytes.buffer, bytes.length - a * b * c * 2);
  const plain: number[] = [];
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++)
      for (let k = 0; k < c; k++) {
        plain.push(100 * i + 10 * j + k);
        view.setInt16(2 * (i + a * (j + b * k)), 100 * i + 10 * j + k);
      }
  const array = await openNpy(bytesSource("x.npy", bytes));
  expect([...(await array.readFloat32())]).toEqual(plain);
  expect([...(await array.readInt32())]).toEqual(plain);
});

test.each([
  `{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }   \n`,
  `{"shape":(3L,),"fortran_order":False,"descr":"<f4"}`,
  ` {'shape' : ( 3 , ) , 'descr' : '<f4' , 'fortran_order' : False , } `,
])("parseNpyHeader() reads the dictionary %j", (dictionary) => {
  for (const version of [1, 2, 3]) {
    expect(parseNpyHeader(written(dictionary, 12, version), "x.npy")).toEqual({
      dtype: "F32",
      bigEndian: false,
      fortranOrder: false,
      shape: [3],
      dataStart: (version === 1 ? 10 : 12) + dictionary.length,
      dataLength: 12,
    });
  }
});

const rest = "'fortran_order': False, 'shape': (3,)";

test.each([
  ["{}", "descr is not a text|fortran_order is neither"],
  ["", "ends within its npy header, after 10 bytes"],
  ["abcd", "expected {"],
  [`{'descr': '<f4', ${rest}`, "expected ,"],
  [`{'descr': '<f4' ${rest}}`, "expected ,"],
  [`{'descr': '<f4', ${rest}} x`, 'found " x" behind it'],
  [`{'descr': '<f4', ${rest}, 'shape': (3,)}`, 'found the key "shape"'],
  [`{'descr': '<f4', ${rest}, 'other': 1}`, 'found the key "other"'],
  [`{'descr': '<f4', ${rest}, '__proto__': 1}`, 'found the key "__proto__"'],
  ["{'descr': '<f4', 'shape': (3,)}", "fortran_order is neither True nor False"],
  ["{'descr': '<f4', 'fortran_order': 'no', 'shape': (3,)}", "fortran_order is neither"],
  ["{'descr': '<f4', 'fortran_order': False}", "shape is not a tuple"],
  ["{'descr': '<f4', 'fortran_order': False, 'shape': True}", "shape is not a tuple"],
  ["{'descr': '<f4', 'fortran_order': False, 'shape': 3}", "in place of a value"],
  ["{'descr': '<f4', 'fortran_order': False, 'shape': (3.5,)}", "expected ,"],
  ["{'descr': '<f4', 'fortran_order': False, 'shape': ('3',)}", "something other than integers"],
  ["{'descr': '<f4', 'fortran_order': False, 'shape': (3", "expected ,"],
  ["{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}", "the size -3"],
  ["{'descr': '<f4', 'fortran_order': False, 'shape': (9007199254740992,)}", "the size 9007199254740992"],
  [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296)}",
    "more than 2^53 - 1 elements",
  ],
  [`{'descr': True, ${rest}}`, "descr is not a text"],
  [`{'descr': (3,), ${rest}}`, "descr is not a text"],
  [`{'descr': [('x', '<f4')], ${rest}}`, "records of several fields"],
  [`{'descr': '|O', ${rest}}`, "pickled Python objects"],
  [`{'descr': '=f4', ${rest}}`, 'elements of type "=f4"'],
  [`{'descr': '|f4', ${rest}}`, 'elements of type "|f4"'],
  [`{'descr': '<c8', ${rest}}`, 'elements of type "<c8"'],
  [`{'descr': '<constructor', ${rest}}`, 'elements of type "<constructor"'],
  [`{'descr': '', ${rest}}`, 'elements of type ""'],
  ["__import__('os').system('true')", "expected {"],
])("parseNpyHeader() refuses the dictionary %s", (dictionary, message) => {
  expect(refusal(written(dictionary))).toMatch(
    new RegExp(
      message
        .split("|")
        .map((part) => part.replace(/[$()*+.?[\\\]^{}]/g, "\\$&"))
        .join("|"),
    ),
  );
});

test("parseNpyHeader() refuses what does not begin like an npy file", () => {
  expect(refusal(new Uint8Array(0))).toContain("x.npy is not an npy file");
  expect(refusal(new Uint8Array(100))).toContain("x.npy is not an npy file");
  expect(refusal(written("{}").subarray(0, 9))).toContain("ends within its npy header");
  expect(refusal(written(" ".repeat(100)).subarray(0, 50))).toContain("after 50 bytes, expected 110");
  expect(refusal(written(" ".repeat(100), 0, 4))).toContain("npy version 4.0");
  expect(refusal(written("{", 5))).toContain("states an npy header of 11 bytes, expected 12 to");
  const long = written(" ".repeat(100), 0, 2);
  new DataView(long.buffer).setUint32(8, 0xffffffff, true);
  expect(refusal(long)).toContain("states an npy header of 4294967307 bytes");
});

test.each([0, 8, 11, 13, 24])("openNpy() refuses %d bytes of data for three float32", async (length) => {
  const bytes = written(`{'descr': '<f4', ${rest}}`, length);
  await expect(openNpy(bytesSource("x.npy", bytes))).rejects.toThrow(
    new FormatError(`x.npy has ${length} bytes behind its npy header, expected 12 for F32 of shape [3]`),
  );
});

import { beforeAll, describe, expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { FormatError, ShapeError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { bytesSource } from "./bytes-source.ts";
import { openSafetensors } from "./safetensors.ts";

type Expected = Record<string, Record<string, { shape: number[]; values: (number | string | boolean)[] }>>;

const file = async (name: string) => bytesSource(name, await readFixture(`formats/${name}`));

/** A file of this header and so many bytes of data. */
function written(header: unknown, dataLength: number, name = "made.safetensors"): ByteSource {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytesSource(name, bytes);
}

/** The message of the FormatError that opening the source must end in. */
async function refusal(source: ByteSource): Promise<string> {
  const error: unknown = await openSafetensors(source).then(
    () => undefined,
    (e) => e,
  );
  expect(error).toBeInstanceOf(FormatError);
  return (error as FormatError).message;
}

/** `source` that writes down the ranges that are read. */
function watched(source: ByteSource): ByteSource & { ranges: [number, number][] } {
  const ranges: [number, number][] = [];
  return {
    ...source,
    ranges,
    read(start, end) {
      ranges.push([start, end]);
      return source.read(start, end);
    },
  };
}

describe("a file of the reference implementation", () => {
  let expected: Expected;
  beforeAll(async () => {
    expected = JSON.parse(new TextDecoder().decode(await readFixture("formats/expected.json")));
  });

  test("openSafetensors() finds its tensors, shapes and metadata", async () => {
    const opened = await openSafetensors(await file("all-dtypes.safetensors"));
    const tensors = expected["all-dtypes.safetensors"];
    expect([...opened.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, { shape }] of Object.entries(tensors)) expect(opened.info(name).shape).toEqual(shape);
    expect(opened.metadata).toEqual({ format: "pt" });
    expect(opened.has("f64")).toBe(true);
    expect(opened.has("toString")).toBe(false);
  });

  test("readFloat64() gives the values of every element type", async () => {
    const opened = await openSafetensors(await file("all-dtypes.safetensors"));
    for (const [name, { values }] of Object.entries(expected["all-dtypes.safetensors"])) {
      expect([name, ...(await opened.readFloat64(name))]).toEqual([name, ...values.map(Number)]);
    }
  });

  test("readFloat32() gives the values of every element type, rounded", async () => {
    const opened = await openSafetensors(await file("all-dtypes.safetensors"));
    for (const [name, { values }] of Object.entries(expected["all-dtypes.safetensors"])) {
      expect([name, ...(await opened.readFloat32(name))]).toEqual([
        name,
        ...values.map((v) => Math.fround(Number(v))),
      ]);
    }
  });

  test("readInt32() gives the values of every integer type", async () => {
    const opened = await openSafetensors(await file("all-dtypes.safetensors"));
    for (const name of ["i64", "i32", "i16", "i8", "u8", "u16", "u32", "u64", "bool"]) {
      const { values } = expected["all-dtypes.safetensors"][name];
      expect([name, ...(await opened.readInt32(name))]).toEqual([name, ...values.map(Number)]);
    }
  });

  test("readInt32() refuses a value outside int32, naming it", async () => {
    const opened = await openSafetensors(await file("all-dtypes.safetensors"));
    await expect(opened.readInt32("i64.large")).rejects.toThrow(
      'Tensor "i64.large" of all-dtypes.safetensors holds 2147483648 at position 2, expected an integer that fits in 32 bits',
    );
    await expect(opened.readInt32("f32")).rejects.toThrow(FormatError);
  });

  test("a file without tensors has only its metadata", async () => {
    const opened = await openSafetensors(await file("no-tensors.safetensors"));
    expect(opened.tensors.size).toBe(0);
    expect(opened.metadata).toEqual({ only: "this — text" });
    expect(() => opened.info("x")).toThrow('no-tensors.safetensors has no tensor "x"; it has none');
  });

  test("an unknown element type is refused only when it is read", async () => {
    const opened = await openSafetensors(await file("one-f8.safetensors"));
    expect([...(await opened.readFloat32("f32"))]).toEqual([0, 1, 2]);
    expect(opened.info("f8").dtype).toBe("F8_E4M3");
    const error: Error = await opened.readFloat32("f8").catch((e) => e);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(
      'Tensor "f8" of one-f8.safetensors has elements of type "F8_E4M3", expected one of BOOL',
    );
  });
});

describe("rows", () => {
  test("readFloat32() of some rows reads their bytes alone", async () => {
    const source = watched(await file("all-dtypes.safetensors"));
    const opened = await openSafetensors(source);
    for (const [name, width] of [
      ["f64", 8],
      ["f32", 4],
      ["f16", 2],
    ] as const) {
      const all = await opened.readFloat32(name);
      source.ranges.length = 0;
      const some = await opened.readFloat32(name, { rows: [1, 3] });
      expect([...some]).toEqual([...all.subarray(4, 12)]);
      const { start } = opened.info(name);
      expect(source.ranges).toEqual([[start + 4 * width, start + 12 * width]]);
    }
  });

  test("opening reads the header alone", async () => {
    const source = watched(await file("all-dtypes.safetensors"));
    const opened = await openSafetensors(source);
    const dataStart = Math.min(...[...opened.tensors.values()].map(({ start }) => start));
    expect(source.ranges).toEqual([
      [0, 8],
      [8, dataStart],
    ]);
  });

  test("no rows are no values, in tensors without rows or columns too", async () => {
    const opened = await openSafetensors(await file("all-dtypes.safetensors"));
    expect((await opened.readFloat32("f32", { rows: [2, 2] })).length).toBe(0);
    expect((await opened.readFloat32("empty", { rows: [0, 0] })).length).toBe(0);
    expect((await opened.readFloat32("no-columns", { rows: [0, 3] })).length).toBe(0);
  });

  test.each([[[-1, 2]], [[2, 4]], [[2, 1]], [[0.5, 2]], [[0, Number.NaN]]] as [[number, number]][])(
    "rows %j of three are refused",
    async (rows) => {
      const opened = await openSafetensors(await file("all-dtypes.safetensors"));
      await expect(opened.readFloat32("f32", { rows })).rejects.toThrow(ShapeError);
    },
  );

  test("a single number has no rows", async () => {
    const opened = await openSafetensors(await file("all-dtypes.safetensors"));
    await expect(opened.readFloat32("scalar", { rows: [0, 1] })).rejects.toThrow(ShapeError);
    expect([...(await opened.readFloat32("scalar"))]).toEqual([3.5]);
  });
});

describe("a file that is not what it promises", () => {
  const f32 = (begin: number, end: number) => ({
    dtype: "F32",
    shape: [(end - begin) / 4],
    data_offsets: [begin, end],
  });

  test("a missing tensor is an error that lists the tensors there are", async () => {
    const opened = await openSafetensors(written({ a: f32(0, 4), b: f32(4, 8) }, 8));
    expect(() => opened.info("c")).toThrow('made.safetensors has no tensor "c"; it has a, b');
    await expect(opened.readFloat32("c")).rejects.toThrow(FormatError);
    expect(() => opened.info("constructor")).toThrow(FormatError);
  });

  test.each([0, 1, 7])("%d bytes are too short for a header", async (length) => {
    expect(await refusal(bytesSource("short", new Uint8Array(length)))).toContain(
      `short has ${length} bytes`,
    );
  });

  test("a header longer than the file is refused before it is read", async () => {
    const bytes = new Uint8Array(20);
    new DataView(bytes.buffer).setBigUint64(0, 2n ** 63n, true);
    const source = watched(bytesSource("x", bytes));
    expect(await refusal(source)).toContain("states a safetensors header of 9223372036854775808 bytes");
    expect(source.ranges).toEqual([[0, 8]]);
  });

  test("a header of more than 100 MB is refused before it is read", async () => {
    const first = new Uint8Array(8);
    new DataView(first.buffer).setBigUint64(0, 100_000_001n, true);
    const source: ByteSource = {
      name: "x",
      byteLength: 2 ** 30,
      async read(start, end) {
        expect([start, end]).toEqual([0, 8]);
        return first;
      },
    };
    expect(await refusal(source)).toContain("100000001 bytes, expected at most 100000000");
  });

  test.each([
    ["", "does not begin with {"],
    ["[]", "does not begin with {"],
    [" {}", "does not begin with {"],
    ['{"a":', "is not JSON"],
    ["{}}", "is not JSON"],
    ['{"a":NaN}', "JSON has no NaN"],
    ['{"a":1}', "described by 1, expected an object"],
    ['{"a":null}', "described by null"],
    ['{"a":[]}', "has the dtype undefined"],
    ['{"a":{}}', "has the dtype undefined"],
    ['{"a":{"dtype":"F32"}}', "has the shape undefined"],
    ['{"a":{"dtype":"F32","shape":{}}}', "has the shape an object"],
    ['{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', "size -1"],
    ['{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}', "size 1.5"],
    ['{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}', 'size "1"'],
    ['{"a":{"dtype":"F32","shape":[9007199254740992],"data_offsets":[0,4]}}', "size 9007199254740992"],
    ['{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', "size Infinity"],
    [
      '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}',
      "more than 2^53 - 1 elements",
    ],
    ['{"a":{"dtype":"F32","shape":[4503599627370496],"data_offsets":[0,0]}}', "has 0 bytes, expected"],
    ['{"a":{"dtype":"F32","shape":[1]}}', "has the data_offsets undefined"],
    ['{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', "has the data_offsets [0]"],
    ['{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', "has the data_offsets [0, 4, 8]"],
    ['{"a":{"dtype":"F32","shape":[1],"data_offsets":["0",4]}}', 'has the data_offsets ["0", 4]'],
    ['{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}', "has the data_offsets [-4, 0]"],
    ['{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9007199254740992]}}', "expected two integers"],
    ['{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', "has the data_offsets 4 to 0"],
    ['{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', "expected a range in the 4 bytes of data"],
    [
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
      "has 4 bytes, expected 8 for F32 of shape [2]",
    ],
    ['{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,4]}}', "has 4 bytes, expected 8 for F64"],
    ['{"__metadata__":{"a":1}}', 'holds 1 under "a", expected a text'],
    ['{"__metadata__":["a"]}', "is an array of 1, expected an object of texts"],
    ["{}", "end at byte 10, expected the end of the file, 14"],
  ])("the header %s over 4 bytes of data is refused", async (header, message) => {
    expect(await refusal(written(header, 4))).toContain(message);
  });

  test("bytes that are no UTF-8 are refused", async () => {
    const source = written("{}", 0);
    const bytes = await source.read(0, source.byteLength);
    bytes[9] = 0xff;
    expect(await refusal(bytesSource("x", bytes))).toContain("not UTF-8");
  });

  test("overlapping tensors are refused", async () => {
    expect(await refusal(written({ a: f32(0, 8), b: f32(4, 12) }, 12))).toContain(
      '"b" of made.safetensors overlaps',
    );
    expect(await refusal(written({ a: f32(0, 8), b: f32(0, 8) }, 8))).toContain("overlaps");
  });

  test("holes before, between and behind tensors are refused", async () => {
    expect(await refusal(written({ a: f32(4, 8) }, 8))).toContain('"a" of made.safetensors leaves a hole');
    expect(await refusal(written({ a: f32(0, 4), b: f32(8, 12) }, 12))).toContain("leaves a hole");
    expect(await refusal(written({ a: f32(0, 4) }, 8))).toContain("end at byte");
  });

  test("names of the language itself are names like any other", async () => {
    const header = `{"__metadata__":{"__proto__":"m"},"__proto__":${JSON.stringify(f32(0, 4))}}`;
    const opened = await openSafetensors(written(header, 4));
    expect([...opened.tensors.keys()]).toEqual(["__proto__"]);
    expect(Object.keys(opened.metadata)).toEqual(["__proto__"]);
    expect([...(await opened.readFloat32("__proto__"))]).toEqual([0]);
  });

  test("a header nested a million deep is refused or read, without another error", async () => {
    const deep = "[".repeat(1e6) + "]".repeat(1e6);
    expect(await refusal(written(`{"a":${deep}}`, 0))).toContain('Tensor "a"');
    expect(await refusal(written(`{"a":{"dtype":"F32","shape":[${deep}]}}`, 0))).toContain("an array of 1");
  });
});

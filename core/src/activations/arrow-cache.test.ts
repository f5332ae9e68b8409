import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { FormatError, ShapeError, UnsupportedError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { bytesSource } from "../formats/bytes-source.ts";
import { openNpy } from "../formats/npy.ts";
import { collectRows, describeActivationSource } from "./activation-source.conformance.ts";
import type { ActivationSource } from "./activation-source.ts";
import { arrowCacheFiles, openArrowCache } from "./arrow-cache.ts";

async function fixture(name: string): Promise<ByteSource> {
  return bytesSource(name, await readFixture(`activations/${name}`));
}

/** Open one of the caches as its `state.json` says. */
async function openCache(name: string): Promise<ActivationSource> {
  const names = arrowCacheFiles(await readFixture(`activations/${name}/state.json`), "state.json");
  const files = await Promise.all(names.map((file) => fixture(`${name}/${file}`)));
  return openArrowCache(files, { location: name });
}

async function expected(name: string): Promise<Float32Array> {
  return (await openNpy(await fixture(`${name}.activations.npy`))).readFloat32();
}

describe("openArrowCache() of what SAELens writes", () => {
  test.each(["saelens-float32", "saelens-float16"])(
    "gives the rows, tokens and records of %s",
    async (name) => {
      const source = await openCache(name);
      expect([source.rows, source.d]).toEqual([60, 8]);
      const rows = await collectRows(source, { batchRows: 7 });
      expect(rows.activations).toEqual(await expected(name));
      expect(rows.tokenIds).toEqual(await (await openNpy(await fixture(`${name}.tokens.npy`))).readInt32());
      expect(rows.documentIds).toEqual(Int32Array.from({ length: 60 }, (_, i) => Math.floor(i / 6)));
      expect(rows.excluded).toBeUndefined();
    },
  );
});

describe("openArrowCache()", () => {
  test("reads fixed-size lists among other columns, in batches of any length", async () => {
    const source = await openCache("fixed-size");
    expect([source.rows, source.d]).toEqual([24, 3]);
    const rows = await collectRows(source, { start: 2, batchRows: 5 });
    expect(rows.activations).toEqual((await expected("fixed-size")).subarray(2 * 3));
    expect(rows.tokenIds).toEqual(Int32Array.from({ length: 22 }, (_, i) => i + 2));
    expect(rows.documentIds).toEqual(Int32Array.from({ length: 22 }, (_, i) => (i + 2) >> 2));
  });

  test("finds the activations behind columns of every type", async () => {
    const rows = await collectRows(await openArrowCache([await fixture("arrow/many-types.arrow")]));
    expect(rows.activations).toEqual(await expected("arrow"));
    expect(rows.tokenIds).toEqual(Int32Array.from({ length: 12 }, (_, i) => i));
  });

  test("reads Arrow's file format, and leaves tokens out when there are none", async () => {
    const rows = await collectRows(await openArrowCache([await fixture("arrow/file-format.arrow")]));
    expect(rows.activations).toEqual(await expected("arrow"));
    expect(rows.tokenIds).toBeUndefined();
  });

  test("takes the column it is told", async () => {
    const file = await fixture("arrow/two-hooks.arrow");
    await expect(openArrowCache([file])).rejects.toThrow(
      /two-hooks\.arrow.*found 2 among "first" \(lists of lists of float32\), "second"/,
    );
    const second = await collectRows(await openArrowCache([file], { column: "second" }));
    expect(second.activations).toEqual((await expected("arrow")).map((value) => value + 1));
    await expect(openArrowCache([file], { column: "third" })).rejects.toThrow(/"third"/);
    const many = await fixture("arrow/many-types.arrow");
    await expect(openArrowCache([many], { column: "struct" })).rejects.toThrow(
      /found 0 among "null" \(null\), .*"struct" \(struct\), "map" \(map of struct\), .*"token_ids" \(lists of uint16\)/,
    );
  });

  test.each([
    ["compressed", UnsupportedError, /is compressed/],
    ["view", UnsupportedError, /column "text" of a type that cannot be read/],
    ["no-hook", FormatError, /found 0 among "text" \(text\), "vector" \(lists of float64\)/],
    ["missing-row", FormatError, /counts 2, 3, 6 values/],
    ["null-record", FormatError, /has nulls/],
    ["null-value", FormatError, /has nulls/],
    ["short-tokens", FormatError, /2 token ids and 3 activations/],
  ])("refuses %s.arrow when it is opened", async (name, kind, message) => {
    const file = await fixture(`arrow/${name}.arrow`);
    const opening = openArrowCache([file]);
    await expect(opening).rejects.toThrow(kind);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(`${name}.arrow`);
  });

  test.each([
    ["ragged-records", /list of 1 items at position 0, expected 2/],
    ["ragged-rows", /list of 3 items at position 0, expected 2/],
  ])("refuses %s.arrow when its rows are read", async (name, message) => {
    const source = await openArrowCache([await fixture(`arrow/${name}.arrow`)]);
    await expect(collectRows(source)).rejects.toThrow(FormatError);
    await expect(collectRows(source)).rejects.toThrow(message);
  });

  test("refuses a file that is cut short, wherever, unless a whole stream is left", async () => {
    const whole = await readFixture("activations/fixed-size/data-00000-of-00001.arrow");
    let left = 0;
    for (let length = 0; length < whole.length; length++) {
      const file = bytesSource("cut.arrow", whole.slice(0, length));
      try {
        const source = await openArrowCache([file]);
        await collectRows(source);
        left++;
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        expect((error as Error).message).toContain("cut.arrow");
      }
    }
    // After the schema, after each of four batches, and no more than the end mark missing.
    expect(left).toBe(5);
  });

  test("refuses other files and no files", async () => {
    await expect(openArrowCache([await fixture("shards.activations.npy")])).rejects.toThrow(FormatError);
    await expect(openArrowCache([])).rejects.toThrow(ShapeError);
  });

  test("reads the bytes of the wanted rows and of little else", async () => {
    const file = await fixture("saelens-float32/data-00000-of-00002.arrow");
    let read = 0;
    const counted: ByteSource = {
      ...file,
      read: (start, end) => {
        read += end - start;
        return file.read(start, end);
      },
    };
    const source = await openArrowCache([counted]);
    const values = 30 * 8 * 4;
    // The descriptions only, none of the values.
    expect(read).toBeLessThanOrEqual(file.byteLength - values - 30 * 4);
    read = 0;
    await collectRows(source, { start: 16, end: 20 });
    // Two records are touched: three offsets of records, five of rows, the values, and the tokens.
    expect(read).toBe(3 * 4 + 5 * 4 + 4 * 8 * 4 + 4 * 4);
  });

  test("meets damaged files with its own errors alone", async () => {
    const names = [
      "saelens-float16/data-00000-of-00002.arrow",
      "fixed-size/data-00000-of-00001.arrow",
      "arrow/many-types.arrow",
    ];
    const files = await Promise.all(names.map((name) => readFixture(`activations/${name}`)));
    const change = fc.tuple(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.oneof(fc.nat(255), fc.constantFrom(0, 127, 128, 255)),
    );
    const damage = fc.record({
      file: fc.nat(names.length - 1),
      changes: fc.array(change, { minLength: 1, maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ file, changes }) => {
        const bytes = files[file].slice();
        for (const [where, value] of changes) bytes[Math.floor(where * (bytes.length - 1))] = value;
        try {
          const source = await openArrowCache([bytesSource(names[file], bytes)]);
          let rows = 0;
          for await (const { activations } of source.batches({ batchRows: 5 })) rows += activations.rows;
          expect(rows).toBe(source.rows);
        } catch (error) {
          const isOurs = [FormatError, ShapeError, UnsupportedError].some((kind) => error instanceof kind);
          if (!isOurs) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("meets every single changed byte with its own errors alone", async () => {
    const whole = await readFixture("activations/saelens-float32/data-00000-of-00002.arrow");
    const values = 30 * 8 * 4;
    // The values come last but for the tokens, and no change of theirs can be noticed.
    for (let at = 0; at < whole.length - values; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const bytes = whole.slice();
        bytes[at] = value;
        try {
          const source = await openArrowCache([bytesSource("changed.arrow", bytes)]);
          for await (const { activations } of source.batches()) expect(activations.columns).toBe(source.d);
        } catch (error) {
          const isOurs = [FormatError, ShapeError, UnsupportedError].some((kind) => error instanceof kind);
          if (!isOurs) throw error;
        }
      }
    }
  });
});

describe("arrowCacheFiles()", () => {
  const parse = (state: unknown) =>
    arrowCacheFiles(new TextEncoder().encode(JSON.stringify(state)), "state.json");

  test("lists the data files in the order of the file", () => {
    const state = { _data_files: [{ filename: "data-b.arrow" }, { filename: "data-a.arrow" }] };
    expect(parse(state)).toEqual(["data-b.arrow", "data-a.arrow"]);
  });

  test.each([
    [{}],
    [{ _data_files: [] }],
    [{ _data_files: [{}] }],
    [{ _data_files: [null] }],
    [{ _data_files: [{ filename: "../secret.arrow" }] }],
    [{ _data_files: [{ filename: "a/b.arrow" }] }],
    [{ _data_files: [{ filename: "c:x.arrow" }] }],
    [{ _data_files: [{ filename: "data.txt" }] }],
    [{ _data_files: [{ filename: 4 }] }],
    [[]],
  ])("refuses %j", (state) => {
    expect(() => parse(state)).toThrow(FormatError);
    expect(() => parse(state)).toThrow(/state\.json/);
  });
});

describeActivationSource("an Arrow cache of lists", () => openCache("saelens-float16"));
describeActivationSource("an Arrow cache of fixed-size lists", () => openCache("fixed-size"));

import { type ByteSource, bytesSource, FormatError } from "@saestitch/core";
import fc from "fast-check";
import { parquetMetadata } from "hyparquet";
import { beforeAll, describe, expect, test } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { parquetDocuments } from "./parquet-text.ts";

let expected: string[];
const isText = (text: string | null) => text !== null && text.trim() !== "";

beforeAll(async () => {
  const texts = JSON.parse(new TextDecoder().decode(await readFixture("text/expected.json")));
  expected = (texts as (string | null)[]).filter(isText) as string[];
});

async function fixture(name: string): Promise<ByteSource> {
  return bytesSource(name, await readFixture(`text/${name}`));
}

/** A source that remembers the ranges it was asked for. */
function watched(source: ByteSource) {
  const ranges: [number, number][] = [];
  const watch: ByteSource = {
    ...source,
    read(start, end) {
      ranges.push([start, end]);
      return source.read(start, end);
    },
  };
  return { ranges, watch };
}

describe("parquetDocuments()", () => {
  test.each([
    "snappy",
    "gzip",
    "zstd",
    "brotli",
    "lz4",
    "v2-snappy",
    "v2-none",
    "plain",
    "delta",
    "delta-length",
    "large-string",
    "required",
    "pages",
    "columns",
  ])("reads the texts of %s.parquet as pyarrow wrote them", async (name) => {
    expect(await collect(parquetDocuments(await fixture(`${name}.parquet`)))).toEqual(expected);
  });

  test("reads the footer and the column, each byte of it once, and no other column", async () => {
    const bytes = await readFixture("text/columns.parquet");
    const { ranges, watch } = watched(bytesSource("columns.parquet", bytes));
    expect(await collect(parquetDocuments(watch))).toEqual(expected);
    const [footer, ...columns] = ranges;
    expect(footer).toEqual([bytes.length - 2 ** 16, bytes.length]);
    const chunks = parquetMetadata(bytes).row_groups.map(({ columns }) => {
      const { dictionary_page_offset: start, total_compressed_size: size } = columns[2].meta_data!;
      return [Number(start), Number(start! + size)];
    });
    expect(columns).toEqual(chunks);
    expect(columns.reduce((sum, [start, end]) => sum + end - start, 0)).toBeLessThan(bytes.length / 20);
  });

  test("reads no row group before its first document is asked for", async () => {
    const { ranges, watch } = watched(await fixture("columns.parquet"));
    const documents = parquetDocuments(watch);
    for (let i = 0; i < 50; i++) await documents.next();
    expect(ranges).toHaveLength(2);
    await documents.return(undefined);
    expect(ranges).toHaveLength(2);
  });

  test("reads another column by name", async () => {
    expect(await collect(parquetDocuments(await fixture("refused.parquet"), { column: "texts" }))).toEqual([
      "a",
      "b",
    ]);
  });

  test.each([
    ["snappy", "txt", 'snappy.parquet has no column "txt"; its columns are: text, id, tags'],
    ["refused", "text", 'has no column "text"; its columns are: texts, latin, number, list'],
    [
      "refused",
      "number",
      'has INT32 in its column "number", expected text; its columns of text are: latin, texts',
    ],
    ["refused", "list", 'has LIST in its column "list", expected text'],
    ["refused", "latin", "refused.parquet has text that is not UTF-8 in its row 1"],
  ])("refuses of %s.parquet the column %s", async (name, column, reason) => {
    const reading = collect(parquetDocuments(await fixture(`${name}.parquet`), { column }));
    await expect(reading).rejects.toThrow(FormatError);
    await expect(reading).rejects.toThrow(reason);
  });

  test("refuses what is not Parquet, and says when it is cut off", async () => {
    const whole = await readFixture("text/snappy.parquet");
    const read = (bytes: Uint8Array) => collect(parquetDocuments(bytesSource("a.parquet", bytes)));
    for (const [bytes, reason] of [
      [new Uint8Array(0), "a.parquet is not a Parquet file: it has 0 bytes"],
      [new TextEncoder().encode("id,text\n1,once upon a time\n"), 'it begins with "id,t"'],
      [whole.subarray(0, -1), "a.parquet is cut off: it begins as a Parquet file and does not end as one"],
      [whole.subarray(0, 500), "a.parquet is cut off"],
      [whole.subarray(1000), "Cannot read row group"],
    ] as const) {
      await expect(read(bytes)).rejects.toThrow(FormatError);
      await expect(read(bytes)).rejects.toThrow(reason);
    }
  });

  test("keeps the error of a source that cannot be read", async () => {
    const source = await fixture("columns.parquet");
    const footer = source.byteLength - 2 ** 16;
    const failing = {
      ...source,
      read: (start: number, end: number) =>
        start >= footer ? source.read(start, end) : Promise.reject(new Error("down")),
    };
    const reading = collect(parquetDocuments(failing));
    await expect(reading).rejects.toThrow(/^down$/);
  });

  test("gives texts or refuses, whatever is changed in a file", async () => {
    const names = [
      "snappy",
      "zstd",
      "gzip",
      "lz4",
      "brotli",
      "v2-snappy",
      "plain",
      "delta",
      "delta-length",
      "pages",
    ];
    const originals = await Promise.all(names.map((name) => readFixture(`text/${name}.parquet`)));
    const change = fc.tuple(
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)),
      fc.constantFrom(1, 1, 1, 4),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...originals),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        async (original, changes) => {
          const bytes = Uint8Array.from(original);
          for (const [share, value, count] of changes) {
            const at = Math.floor(share * bytes.length);
            bytes.fill(value, at, at + count);
          }
          try {
            const documents = await collect(parquetDocuments(bytesSource("a.parquet", bytes)));
            expect(documents.length).toBeLessThanOrEqual(120);
          } catch (error) {
            if (!(error instanceof FormatError)) throw error;
            expect(error.message).toContain("a.parquet");
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});

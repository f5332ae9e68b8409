import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { DataError, FormatError, ShapeError, UnsupportedError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { bytesSource } from "../formats/bytes-source.ts";
import { encodeSafetensors } from "../formats/encode-safetensors.ts";
import { openNpy } from "../formats/npy.ts";
import type { TensorToWrite } from "../formats/tensor-to-write.ts";
import { collectRows, describeActivationSource } from "./activation-source.conformance.ts";
import { openShards } from "./shards.ts";

function safetensors(name: string, tensors: readonly TensorToWrite[]): ByteSource {
  const chunks = [...encodeSafetensors(tensors)];
  return bytesSource(name, Uint8Array.from(chunks.flatMap((chunk) => [...chunk])));
}

function floats(name: string, shape: readonly number[], first = 0): TensorToWrite {
  const length = shape.reduce((product, size) => product * size, 1);
  return { name, dtype: "F32", shape, values: Float32Array.from({ length }, (_, i) => first + i) };
}

function ids(
  name: string,
  values: readonly number[],
  shape: readonly number[] = [values.length],
): TensorToWrite {
  return { name, dtype: "I32", shape, values: Int32Array.from(values) };
}

async function fixture(name: string): Promise<ByteSource> {
  return bytesSource(name, await readFixture(`activations/${name}`));
}

/** The source, and which bytes of it have been read. */
function watched(source: ByteSource): { source: ByteSource; reads: [number, number][] } {
  const reads: [number, number][] = [];
  const read = (start: number, end: number) => {
    reads.push([start, end]);
    return source.read(start, end);
  };
  return { source: { ...source, read }, reads };
}

const goldenFiles = [
  "shards/shard-1.safetensors",
  "shards/shard-2.safetensors",
  "shards/shard-10.safetensors",
];
const openGolden = async () => openShards(await Promise.all(goldenFiles.map(fixture)));
const openNpyGolden = async () =>
  openShards(
    await Promise.all(["npy/rows.token_ids.npy", "npy/rows.npy", "npy/rows.document_ids.npy"].map(fixture)),
  );

async function goldenActivations(): Promise<Float32Array> {
  const file = await openNpy(await fixture("shards.activations.npy"));
  return file.readFloat32();
}

describe("openShards() of files written in Python", () => {
  test("gives the rows of safetensors files, one after the other", async () => {
    const source = await openGolden();
    expect([source.rows, source.d]).toEqual([23, 4]);
    const rows = await collectRows(source, { batchRows: 4 });
    expect(rows.activations).toEqual(await goldenActivations());
    expect(rows.documentIds).toEqual(Int32Array.from({ length: 23 }, (_, i) => (i < 7 ? 0 : i < 16 ? 1 : 2)));
    const starts = Uint8Array.from({ length: 23 }, (_, i) => Number(i === 0 || i === 7 || i === 16));
    expect(rows.excluded).toEqual(starts);
    expect(rows.tokenIds?.map((token) => Number(token === 1))).toEqual(Int32Array.from(starts));
  });

  test("gives the rows of an npy file with the ids beside it", async () => {
    const safe = await collectRows(await openGolden());
    const rows = await collectRows(await openNpyGolden());
    expect(rows.activations).toEqual(safe.activations);
    expect(rows.documentIds).toEqual(safe.documentIds);
    expect(rows.tokenIds).toEqual(safe.tokenIds);
    expect(rows.excluded).toBeUndefined();
  });

  test("reads an npy file of three axes as sequences, numbered as documents", async () => {
    const file = await fixture("npy/sequences.npy");
    const source = await openShards([file, file]);
    expect([source.rows, source.d]).toEqual([40, 4]);
    const rows = await collectRows(source, { start: 3, end: 30, batchRows: 7 });
    expect(rows.documentIds).toEqual(Int32Array.from({ length: 27 }, (_, i) => (i + 3) >> 2));
    const golden = (await goldenActivations()).subarray(0, 80);
    const twice = Float32Array.from([...golden, ...golden]).subarray(12, 120);
    expect(rows.activations.length).toBe(twice.length);
    // Half precision keeps 11 bits.
    for (let i = 0; i < twice.length; i++)
      expect(Math.abs(rows.activations[i] - twice[i])).toBeLessThanOrEqual(Math.abs(twice[i]) * 2 ** -11);
  });
});

describe("openShards()", () => {
  test("reads the header of each file, and then only the bytes of the rows asked for", async () => {
    const perFile = 10;
    const files = [0, 1, 2].map((i) =>
      watched(
        safetensors(`${i}.safetensors`, [
          floats("activations", [perFile, 3], 100 * i),
          ids("document_ids", new Array(perFile).fill(i)),
        ]),
      ),
    );
    const source = await openShards(files.map((file) => file.source));
    const headerBytes = files.map(({ reads }) => reads.reduce((sum, [from, to]) => sum + to - from, 0));
    for (const [i, { source: file }] of files.entries()) {
      expect(headerBytes[i]).toBe(file.byteLength - perFile * (3 * 4 + 4));
      files[i].reads.length = 0;
    }
    const rows = await collectRows(source, { start: 12, end: 25, batchRows: 4 });
    expect(rows.activations[0]).toBe(100 + 2 * 3);
    const read = files.map(({ reads }) => reads.reduce((sum, [from, to]) => sum + to - from, 0));
    expect(read).toEqual([0, 8 * 16, 5 * 16]);
  });

  test("reads one batch ahead and no further", async () => {
    const { source: file, reads } = watched(safetensors("x.safetensors", [floats("activations", [100, 1])]));
    const source = await openShards([file]);
    reads.length = 0;
    let batches = 0;
    for await (const { start } of source.batches({ batchRows: 10 })) {
      expect(start).toBe(10 * batches++);
      expect(reads.length).toBe(Math.min(batches + 1, 10));
      if (batches === 4) break;
    }
    expect(reads.length).toBe(5);
  });

  test("puts activations in memory that threads can share, where there is such memory", async () => {
    const source = await openGolden();
    for await (const { activations } of source.batches()) {
      const shared = typeof SharedArrayBuffer !== "undefined";
      expect(activations.values.buffer.constructor.name).toBe(shared ? "SharedArrayBuffer" : "ArrayBuffer");
    }
  });

  test.each([["activation"], ["blocks.3.hook_resid_post"]])(
    "takes the float matrix %s as activations",
    async (name) => {
      const source = await openShards([
        safetensors("x.safetensors", [floats(name, [5, 2]), ids("tokens", [1, 2, 3, 4, 5])]),
      ]);
      expect([source.rows, source.d]).toEqual([5, 2]);
      expect((await collectRows(source)).tokenIds).toEqual(Int32Array.from([1, 2, 3, 4, 5]));
    },
  );

  test("asks for a name when several float matrices could be activations", async () => {
    const file = safetensors("x.safetensors", [floats("a", [5, 2]), floats("b", [4, 3])]);
    await expect(openShards([file])).rejects.toThrow(/x\.safetensors.*"a" F32 \[5, 2\], "b" F32 \[4, 3\]/);
    const source = await openShards([file], { tensor: "b" });
    expect([source.rows, source.d]).toEqual([4, 3]);
    await expect(openShards([file], { tensor: "c" })).rejects.toThrow(/x\.safetensors has no tensor "c"/);
  });

  test("takes ids per sequence position, and numbers sequences without document ids through all files", async () => {
    const file = (first: number) =>
      safetensors(`${first}.safetensors`, [
        floats("activations", [2, 3, 2], first),
        ids("tokens", [1, 2, 3, 1, 5, 6], [2, 3]),
      ]);
    const rows = await collectRows(await openShards([file(0), file(50)]), { batchRows: 5 });
    expect(rows.documentIds).toEqual(Int32Array.from([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]));
    expect(rows.tokenIds).toEqual(Int32Array.from([1, 2, 3, 1, 5, 6, 1, 2, 3, 1, 5, 6]));
  });

  test("gives document ids as they are stored, so that equal neighbours in two files are one document", async () => {
    const file = (name: string, documents: number[]) =>
      safetensors(name, [floats("activations", [documents.length, 1]), ids("document_ids", documents)]);
    const source = await openShards([file("a.safetensors", [0, 0, 1]), file("b.safetensors", [1, 0])]);
    expect((await collectRows(source)).documentIds).toEqual(Int32Array.from([0, 0, 1, 1, 0]));
  });

  test("excludes rows that are marked, and rows that a mask does not keep", async () => {
    const file = safetensors("x.safetensors", [
      floats("activations", [4, 1]),
      { name: "excluded", dtype: "U8", shape: [4], values: Uint8Array.from([0, 7, 0, 0]) },
      { name: "mask", dtype: "BOOL", shape: [4], values: Uint8Array.from([1, 1, 0, 1]) },
    ]);
    expect((await collectRows(await openShards([file]))).excluded).toEqual(Uint8Array.from([0, 1, 1, 0]));
  });

  test("refuses files that do not fit together, naming both", async () => {
    const plain = safetensors("plain.safetensors", [floats("activations", [2, 3])]);
    const wide = safetensors("wide.safetensors", [floats("activations", [2, 4])]);
    const known = safetensors("known.safetensors", [floats("activations", [2, 3]), ids("token_ids", [1, 2])]);
    await expect(openShards([plain, wide])).rejects.toThrow(
      /d = 3 in plain\.safetensors, d = 4 in wide\.safetensors/,
    );
    await expect(openShards([plain, known])).rejects.toThrow(
      /known\.safetensors, which has token ids, and plain/,
    );
    for (const other of [wide, known]) await expect(openShards([plain, other])).rejects.toThrow(ShapeError);
  });

  test("lets a file without rows do as it likes", async () => {
    const empty = safetensors("empty.safetensors", [floats("activations", [0, 9])]);
    const full = safetensors("full.safetensors", [floats("activations", [2, 3]), ids("token_ids", [1, 2])]);
    const source = await openShards([empty, full, empty]);
    expect([source.rows, source.d]).toEqual([2, 3]);
    expect((await openShards([empty])).rows).toBe(0);
  });

  test("refuses tensors that disagree on the number of rows", async () => {
    for (const name of ["document_ids", "tokens", "excluded", "mask"]) {
      const file = safetensors("x.safetensors", [floats("activations", [3, 2]), ids(name, [1, 2])]);
      await expect(openShards([file])).rejects.toThrow(ShapeError);
      await expect(openShards([file])).rejects.toThrow(new RegExp(`"${name}" of x.safetensors.*the 3 rows`));
    }
  });

  test.each([[[4]], [[2, 0]], [[1, 1, 2, 2]], [[]]])("refuses activations of shape %j", async (shape) => {
    const file = safetensors("x.safetensors", [floats("activations", shape)]);
    await expect(openShards([file])).rejects.toThrow(FormatError);
  });

  test("refuses ids that belong to no file, other files, and no files", async () => {
    await expect(
      openShards([await fixture("npy/rows.npy"), bytesSource("a.token_ids.npy", new Uint8Array())]),
    ).rejects.toThrow(/a\.token_ids\.npy/);
    await expect(openShards([bytesSource("a.txt", new Uint8Array())])).rejects.toThrow(UnsupportedError);
    await expect(openShards([])).rejects.toThrow(ShapeError);
  });

  test("refuses an npy file of integers", async () => {
    await expect(
      openShards([{ ...(await fixture("npy/rows.document_ids.npy")), name: "x.npy" }]),
    ).rejects.toThrow(/x\.npy holds elements of type I64/);
  });

  test("gives the rows before a failure, then the failure", async () => {
    const { source: file } = watched(safetensors("x.safetensors", [floats("activations", [20, 1])]));
    let reads = 0;
    const failing: ByteSource = {
      ...file,
      read: (start, end) => (++reads > 4 ? Promise.reject(new FormatError("gone")) : file.read(start, end)),
    };
    const source = await openShards([failing]);
    const starts: number[] = [];
    await expect(async () => {
      for await (const { start } of source.batches({ batchRows: 5 })) starts.push(start);
    }).rejects.toThrow("gone");
    expect(starts).toEqual([0, 5]);
  });

  test("meets damaged files with its own errors alone", async () => {
    const names = [goldenFiles[0], goldenFiles[2], "npy/rows.npy", "npy/sequences.npy"];
    const files = await Promise.all(names.map((name) => readFixture(`activations/${name}`)));
    const damage = fc.record({
      file: fc.nat(names.length - 1),
      changes: fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 6 }),
      cut: fc.option(fc.nat(900), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ file, changes, cut }) => {
        const bytes = files[file].slice(0, cut);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          const source = await openShards([bytesSource(names[file], bytes)]);
          let rows = 0;
          for await (const { activations } of source.batches({ batchRows: 5 })) rows += activations.rows;
          expect(rows).toBe(source.rows);
        } catch (error) {
          const isOurs = [FormatError, ShapeError, UnsupportedError, DataError].some(
            (kind) => error instanceof kind,
          );
          if (!isOurs) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});

describeActivationSource("safetensors shards", openGolden);
describeActivationSource("an npy shard with ids", openNpyGolden);
describeActivationSource("npy sequences", async () => openShards([await fixture("npy/sequences.npy")]));

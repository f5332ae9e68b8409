import { Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from "@zip.js/zip.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { FormatError, UnsupportedError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { bytesSource } from "./bytes-source.ts";
import { parseJsonObject } from "./json.ts";
import { openNpy } from "./npy.ts";
import { openNpz } from "./npz.ts";
import { openSafetensors } from "./safetensors.ts";

/** A change to a file; positions are shares of its length, so that one change fits any file. */
type Mutation = (bytes: Uint8Array) => Uint8Array;

const at = (share: number, length: number) => Math.min(length, Math.floor(share * (length + 1)));
const share = fc.double({ min: 0, max: 1, noNaN: true });

function spliced(bytes: Uint8Array, start: number, removed: number, added: Uint8Array): Uint8Array {
  const end = Math.min(bytes.length, start + removed);
  const changed = new Uint8Array(bytes.length - (end - start) + added.length);
  changed.set(bytes.subarray(0, start));
  changed.set(added, start);
  changed.set(bytes.subarray(end), start + added.length);
  return changed;
}

const flip: fc.Arbitrary<Mutation> = fc.tuple(share, fc.nat(7)).map(([where, bit]) => (bytes) => {
  const changed = Uint8Array.from(bytes);
  if (changed.length > 0) changed[Math.min(changed.length - 1, at(where, changed.length))] ^= 1 << bit;
  return changed;
});
const cut: fc.Arbitrary<Mutation> = share.map((where) => (bytes) => bytes.slice(0, at(where, bytes.length)));
const remove: fc.Arbitrary<Mutation> = fc.tuple(share, fc.integer({ min: 1, max: 40 })).map(
  ([where, count]) =>
    (bytes) =>
      spliced(bytes, at(where, bytes.length), count, new Uint8Array(0)),
);
const insert: fc.Arbitrary<Mutation> = fc.tuple(share, fc.uint8Array({ minLength: 1, maxLength: 40 })).map(
  ([where, added]) =>
    (bytes) =>
      spliced(bytes, at(where, bytes.length), 0, added),
);
const overwrite: fc.Arbitrary<Mutation> = fc
  .tuple(share, fc.constantFrom(2, 4, 8), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff))
  .map(([where, width, value]) => (bytes) => {
    return spliced(bytes, at(where, bytes.length), width, new Uint8Array(width).fill(value));
  });

/**
 * Put another number in the place of one written in digits, as in the headers of safetensors, npy and JSON, and state
 * the new length of the header where the file states it, so that the lie is found in the header and not before.
 */
const renumber: fc.Arbitrary<Mutation> = fc
  .tuple(
    share,
    fc.oneof(
      fc.constantFrom("-1", "0", "1.5", "1e3", "9007199254740992", "18446744073709551616", "1e999"),
      fc.constantFrom("NaN", "null", "[]", "{}", '"1"', "True", "1,2"),
      fc.nat(300).map(String),
    ),
  )
  .map(([where, number]) => (bytes) => {
    const found = [...new TextDecoder("latin1").decode(bytes.subarray(0, 2000)).matchAll(/\d+/g)];
    if (found.length === 0) return bytes;
    const chosen = found[Math.min(found.length - 1, at(where, found.length))];
    const changed = spliced(bytes, chosen.index, chosen[0].length, new TextEncoder().encode(number));
    const lengthAt = bytes[0] === 0x93 ? 8 : bytes[8] === 0x7b ? 0 : undefined;
    if (lengthAt !== undefined && changed.length >= 16) {
      const view = new DataView(changed.buffer);
      view.setUint16(lengthAt, view.getUint16(lengthAt, true) + number.length - chosen[0].length, true);
    }
    return changed;
  });

/** Swap the element type of one array for another. */
const retype: fc.Arbitrary<Mutation> = fc
  .tuple(
    share,
    fc.constantFrom("F64", "F32", "F16", "I32", "U16", "I64", "X32"),
    fc.constantFrom("f8", "f4", "i2", "O8", "c8"),
  )
  .map(([where, dtype, descr]) => (bytes) => {
    const text = new TextDecoder("latin1").decode(bytes.subarray(0, 2000));
    const found = [...text.matchAll(/(?<="dtype":")\w{3}(?=")|(?<='[<>|])\w\d(?=')/g)];
    if (found.length === 0) return bytes;
    const chosen = found[Math.min(found.length - 1, at(where, found.length))];
    const replacement = new TextEncoder().encode(chosen[0].length === 3 ? dtype : descr);
    return spliced(bytes, chosen.index, replacement.length, replacement);
  });

const mutations = fc.array(fc.oneof(flip, cut, remove, insert, overwrite, renumber, retype), {
  minLength: 1,
  maxLength: 3,
});

/** A source that refuses to be read more often than a reader of so small a file needs. */
function bounded(bytes: Uint8Array): ByteSource {
  const source = bytesSource("mutated", bytes);
  let left = 50 * (bytes.length + 1000);
  return {
    ...source,
    read(start, end) {
      left -= Math.max(1, end - start);
      if (left < 0) throw new Error("Far more was read than the file holds");
      return source.read(start, end);
    },
  };
}

/** Read what can be read: each array must have the shape it states, and every error must be one of ours. */
async function readAll(
  arrays: () => Promise<Iterable<() => Promise<{ shape: readonly number[]; length: number }>>>,
) {
  const ours = (error: unknown) => {
    if (!(error instanceof FormatError || error instanceof UnsupportedError)) throw error;
    expect(error.message).toContain("mutated");
  };
  const opened = await arrays().catch(ours);
  for (const array of opened ?? []) {
    const read = await array().catch(ours);
    if (read) expect(read.length).toBe(read.shape.reduce((a, b) => a * b, 1));
  }
}

async function hold(
  files: string[],
  check: (bytes: Uint8Array) => Promise<void>,
  numRuns: number,
): Promise<void> {
  const originals = await Promise.all(files.map((name) => readFixture(`formats/${name}`)));
  for (const original of originals) await check(original);
  const changed = fc
    .tuple(fc.constantFrom(...originals), mutations)
    .map(([original, changes]) => changes.reduce((bytes: Uint8Array, change) => change(bytes), original));
  await fc.assert(fc.asyncProperty(changed, check), { numRuns });
}

test("a mutated safetensors file is read as it states or refused", async () => {
  await hold(
    ["all-dtypes.safetensors", "no-tensors.safetensors", "one-f8.safetensors", "rounding.safetensors"],
    (bytes) =>
      readAll(async () => {
        const opened = await openSafetensors(bounded(bytes));
        return Array.from(opened.tensors, ([name, { shape }]) => async () => {
          const values = await opened.readFloat32(name);
          expect(values.length).toBeLessThanOrEqual(bytes.length);
          const rows: [number, number] = [0, Math.min(1, shape[0] ?? 0)];
          if (shape.length > 0) await opened.readFloat64(name, { rows });
          return { shape, length: values.length };
        });
      }),
    2000,
  );
});

test("a mutated npy file is read as it states or refused", async () => {
  await hold(
    [
      "f8.npy",
      "f4-version-2.npy",
      "f4-version-3.npy",
      "f4-fortran.npy",
      "f4-big-endian.npy",
      "i8.npy",
      "b1.npy",
      "scalar.npy",
    ],
    (bytes) =>
      readAll(async () => {
        const { shape, readFloat32, readInt32 } = await openNpy(bounded(bytes));
        return [readFloat32, readInt32].map((read) => async () => {
          const { length } = await read();
          expect(length).toBeLessThanOrEqual(bytes.length);
          return { shape, length };
        });
      }),
    2000,
  );
});

const readNpz = (bytes: Uint8Array) =>
  readAll(async () => {
    const npz = await openNpz(bounded(bytes));
    return npz.names.map((name) => async () => {
      const { shape, values } = await npz.readFloat32(name);
      return { shape, length: values.length };
    });
  });

test("a mutated npz file is read as it states or refused", async () => {
  await hold(["stored.npz", "deflated.npz", "streamed.npz"], readNpz, 500);
});

test("a mutated npy file within a sound npz file is read as it states or refused", async () => {
  const zipped = async (bytes: Uint8Array) => {
    const writer = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false });
    await writer.add("array.npy", new Uint8ArrayReader(bytes));
    await readNpz(await writer.close());
  };
  await hold(
    ["f8.npy", "f4-version-2.npy", "f4-fortran.npy", "f4-big-endian.npy", "scalar.npy"],
    zipped,
    500,
  );
});

test("a mutated JSON file is an object or refused", async () => {
  await hold(
    ["expected.json"],
    (bytes) =>
      readAll(async () => {
        expect(parseJsonObject(bytes, "mutated")).toBeTypeOf("object");
        return [];
      }),
    300,
  );
});

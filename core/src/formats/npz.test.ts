import {
  BlobWriter,
  configure,
  Uint8ArrayReader,
  ZipWriter,
  type ZipWriterAddDataOptions,
} from "@zip.js/zip.js";
import { beforeAll, describe, expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { FormatError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { bytesSource } from "./bytes-source.ts";
import { openNpz } from "./npz.ts";

type Expected = Record<string, Record<string, { shape: number[]; values: number[] }>>;

configure({ useWebWorkers: false });
const file = async (name: string) => bytesSource(name, await readFixture(`formats/${name}`));

/** An npy file of version 1 that says it holds `count` float32 zeros, and holds `stored`. */
function npy(count: number, stored = count): Uint8Array<ArrayBuffer> {
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${count},), }`.padEnd(117);
  const text = new TextEncoder().encode(`\x93NUMPY\x01\x00\x76\x00${dictionary}\n`.replace("\x93", "_"));
  text[0] = 0x93;
  const bytes = new Uint8Array(text.length + 4 * stored);
  bytes.set(text);
  return bytes;
}

async function zipped(
  entries: [name: string, bytes: Uint8Array<ArrayBuffer>, options?: ZipWriterAddDataOptions][],
): Promise<Uint8Array<ArrayBuffer>> {
  const writer = new ZipWriter(new BlobWriter());
  for (const [name, bytes, options] of entries) {
    await writer.add(name, new Uint8ArrayReader(bytes), {
      dataDescriptor: false,
      extendedTimestamp: false,
      ...options,
    });
  }
  return new Uint8Array(await (await writer.close()).arrayBuffer());
}

/** The message of the FormatError in which reading the array must end. */
async function refusal(bytes: Uint8Array, array = "a"): Promise<string> {
  const error: unknown = await openNpz(bytesSource("made.npz", bytes))
    .then((npz) => npz.readFloat32(array))
    .then(
      () => undefined,
      (e) => e,
    );
  expect(error).toBeInstanceOf(FormatError);
  return (error as FormatError).message;
}

/** Where in a zip archive of one entry the headers with this signature begin. */
function find(bytes: Uint8Array, signature: number): number {
  const view = new DataView(bytes.buffer);
  for (let at = bytes.length - 4; at >= 0; at--) if (view.getUint32(at, true) === signature) return at;
  throw new Error("No such header");
}

/** Write an unpacked size into the local and the central header of the only entry. */
function stateSize(bytes: Uint8Array, unpacked: number): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(find(bytes, 0x04034b50) + 22, unpacked, true);
  view.setUint32(find(bytes, 0x02014b50) + 24, unpacked, true);
}

describe("a file written by numpy", () => {
  let expected: Expected;
  beforeAll(async () => {
    expected = JSON.parse(new TextDecoder().decode(await readFixture("formats/expected.json")));
  });

  test.each(["stored.npz", "deflated.npz", "streamed.npz"])("openNpz() reads %s", async (name) => {
    const npz = await openNpz(await file(name));
    expect(npz.names).toEqual(Object.keys(expected[name]));
    for (const [array, { shape, values }] of Object.entries(expected[name])) {
      const read = await npz.readFloat32(array);
      expect(read.shape).toEqual(shape);
      expect([...read.values]).toEqual(values.map(Math.fround));
    }
  });

  test("arrays can be read at the same time, again and in any order", async () => {
    const npz = await openNpz(await file("deflated.npz"));
    const wanted = ["b_enc", "W_enc", "b_enc"];
    const arrays = await Promise.all(wanted.map((name) => npz.readFloat32(name)));
    expect(arrays.map(({ shape }) => shape)).toEqual([[4], [3, 4], [4]]);
    expect([...(await npz.readFloat32("count")).values]).toEqual([7]);
  });

  test("a missing array is an error that lists the arrays there are", async () => {
    const npz = await openNpz(await file("stored.npz"));
    await expect(npz.readFloat32("W_dec")).rejects.toThrow(
      new FormatError('stored.npz has no array "W_dec"; it has W_enc, b_enc, half, count, empty, fortran'),
    );
  });
});

test("an entry that is no array is passed over", async () => {
  const bytes = await zipped([
    ["note.txt", Uint8Array.of(1)],
    ["a.npy", npy(3)],
  ]);
  const npz = await openNpz(bytesSource("made.npz", bytes));
  expect(npz.names).toEqual(["a"]);
  expect([...(await npz.readFloat32("a")).values]).toEqual([0, 0, 0]);
});

test.each([0, 10, 500])("%d bytes that are no zip archive are refused", async (length) => {
  expect(await refusal(new Uint8Array(length))).toContain("made.npz cannot be unpacked");
});

test("two arrays of one name are refused", async () => {
  const bytes = await zipped([
    ["a.npy", npy(3)],
    ["b.npy", npy(3)],
  ]);
  for (let i = 0; i < bytes.length - 5; i++) {
    if (new TextDecoder().decode(bytes.subarray(i, i + 5)) === "b.npy") bytes[i] = "a".charCodeAt(0);
  }
  expect(await refusal(bytes)).toContain("made.npz cannot be unpacked");
});

test("an encrypted array is refused", async () => {
  const bytes = await zipped([["a.npy", npy(3), { password: "secret", zipCrypto: true }]]);
  expect(await refusal(bytes)).toBe('Array "a" of made.npz is encrypted, which is not supported');
});

test.each([
  [1000, 64 * 2 ** 20 + 1],
  [2 ** 19, 2 ** 28],
])(
  "a size that only a bomb has is refused before anything is unpacked (%d float32)",
  async (count, unpacked) => {
    const bytes = await zipped([["a.npy", npy(count), { level: 0 }]]);
    stateSize(bytes, unpacked);
    expect(await refusal(bytes)).toContain(
      `states ${unpacked} bytes packed into ${npy(count).length}, expected at most`,
    );
  },
);

test.each([100, 1_000_000])(
  "an array that unpacks to %d bytes more than it states is refused",
  async (more) => {
    const bytes = await zipped([["a.npy", npy(900, 900 + more / 4)]]);
    stateSize(bytes, npy(900).length);
    // The archive library or this reader, whichever sees it first.
    expect(await refusal(bytes)).toMatch(/Invalid uncompressed size|unpacks to more than/);
  },
);

test.each([0, 6])("an array whose header does not fit its size is refused (level %d)", async (level) => {
  for (const [said, stored] of [
    [1000, 999],
    [999, 1000],
    [1000, 0],
    [0, 1000],
    [2 ** 40, 5],
  ]) {
    const bytes = await zipped([["a.npy", npy(said, stored), { level }]]);
    expect(await refusal(bytes)).toContain(
      `has ${stored * 4} bytes behind its npy header, expected ${said * 4}`,
    );
  }
});

test("damaged data is refused", async () => {
  for (const level of [0, 6]) {
    const bytes = await zipped([["a.npy", npy(1000), { level }]]);
    bytes[find(bytes, 0x04034b50) + 30 + "a.npy".length + (level === 0 ? 1000 : 60)] ^= 0x55;
    expect(await refusal(bytes)).toContain('Array "a" of made.npz cannot be unpacked');
  }
});

test("an entry that is no npy file is refused", async () => {
  expect(await refusal(await zipped([["a.npy", new Uint8Array(500)]]))).toContain("is not an npy file");
  expect(await refusal(await zipped([["a.npy", new Uint8Array(0)]]))).toContain("is not an npy file");
  expect(await refusal(await zipped([["a.npy", npy(3).slice(0, 50)]]))).toContain(
    "ends within its npy header",
  );
});

test("entries that share bytes are refused", async () => {
  const bytes = await zipped([
    ["a.npy", npy(30)],
    ["b.npy", npy(30)],
  ]);
  // Both central headers point at the first entry.
  new DataView(bytes.buffer).setUint32(find(bytes, 0x02014b50) + 42, 0, true);
  const npz = await openNpz(bytesSource("made.npz", bytes)).catch((e) => e);
  if (npz instanceof FormatError) return;
  const outcomes = await Promise.allSettled([npz.readFloat32("a"), npz.readFloat32("b")]);
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  expect(failed.length).toBeGreaterThan(0);
  for (const { reason } of failed) expect(reason).toBeInstanceOf(FormatError);
});

test("an error of the source is passed on as it is", async () => {
  const source = await file("deflated.npz");
  let broken = false;
  const failing: ByteSource = {
    ...source,
    read: (start, end) => (broken ? Promise.reject(new TypeError("network gone")) : source.read(start, end)),
  };
  const npz = await openNpz(failing);
  broken = true;
  await expect(npz.readFloat32("W_enc")).rejects.toThrow(new TypeError("network gone"));
});

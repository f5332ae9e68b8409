import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import { codeStoreConformance } from "../codes/code-store.conformance.ts";
import type { CodedSample } from "../codes/coded-sample.ts";
import { DataError, FormatError } from "../errors.ts";
import { bytesSource } from "../formats/bytes-source.ts";
import { openSafetensors } from "../formats/safetensors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { randomCode } from "../kernels/random-arguments.conformance.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { row } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { openCodeFolder } from "./code-folder.ts";
import { codeFolderPath } from "./code-folder-description.ts";

let root: string;
let path: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "saestitch-code-folder-"));
  path = join(root, "codes", "of-a-test");
});
afterEach(() => rm(root, { recursive: true }));

const key = { sae: "5ae0", activations: "ac7", excludeTokens: "[1]" };
const stretch = { start: 256, end: 512 };
const file = () => join(path, "rows-256-512.safetensors");
const code = randomCode(seededRandom(1), 200, 60);

/** The error that a promise must end in. */
const refusal = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => expect.unreachable("should have been refused"),
    (error) => error,
  );

describe.each(["f32", "f16"] as const)("conformance in %s", (precision) =>
  codeStoreConformance(() => openCodeFolder(path, { key, precision })),
);

test("openCodeFolder() finds what was written before, and what it takes", async () => {
  for (const precision of ["f32", "f16"] as const) {
    const folder = join(path, precision);
    const before = await openCodeFolder(folder, { key, precision });
    const written = await before.write(stretch, code);
    const { size } = await stat(join(folder, "rows-256-512.safetensors"));
    const after = await openCodeFolder(folder, { key: { ...key }, precision });
    expect([before.bytes, after.bytes]).toEqual([size, size]);
    expect(after.location).toBe(folder);
    expect(await after.read(stretch)).toEqual(written);
  }
});

test("openCodeFolder() in f32 returns the code as it was, in f16 other values", async () => {
  const exact = await openCodeFolder(join(path, "f32"), { key });
  expect(await exact.write(stretch, code)).toBe(code);
  const rounding = await openCodeFolder(join(path, "f16"), { key, precision: "f16" });
  const rounded = await rounding.write(stretch, code);
  expect(rounded.values).not.toEqual(code.values);
  expect(rounded.indices).toEqual(code.indices);
  await expect(rounding.write(stretch, { ...code, values: code.values.map(() => 1e6) })).rejects.toThrow(
    "Cannot keep an activation of 1000000 in f16, which ends at 65504: keep these codes in f32",
  );
  expect(await rounding.read(stretch)).toEqual(rounded);
});

test("a folder says in codes.json what its codes are of, and holds no other files but theirs", async () => {
  const store = await openCodeFolder(path, { key });
  expect(JSON.parse(await readFile(join(path, "codes.json"), "utf8"))).toEqual({
    schema: "saestitch.codes/1",
    precision: "f32",
    key,
  });
  await store.write(stretch, code);
  await store.write({ start: 0, end: 256 }, code);
  expect((await readdir(path)).sort()).toEqual([
    "codes.json",
    "rows-0-256.safetensors",
    "rows-256-512.safetensors",
  ]);
});

test("stores of one folder see each other's codes, and writing one stretch at once does no harm", async () => {
  const [reader, ...stores] = await Promise.all([1, 2, 3, 4].map(() => openCodeFolder(path, { key })));
  const reading = { done: false };
  const seen = (async () => {
    let read = 0;
    while (!reading.done) {
      const found = await reader.read(stretch);
      if (found === undefined) continue;
      read++;
      expect(found).toEqual(code);
    }
    return read;
  })();
  for (let round = 0; round < 5; round++)
    await Promise.all(stores.map((store) => store.write(stretch, code)));
  for (const store of stores) expect(await store.read(stretch)).toEqual(code);
  reading.done = true;
  expect(await seen).toBeGreaterThan(0);
  expect((await readdir(path)).sort()).toEqual(["codes.json", "rows-256-512.safetensors"]);
  expect(new Set([reader, ...stores].map(({ bytes }) => bytes))).toEqual(
    new Set([(await stat(file())).size]),
  );
});

test("codeSample() goes on from the codes in a folder, those of tokens without a scale included", async () => {
  const random = seededRandom(3);
  const normalization = { kind: "unit-mean-square" } as const;
  const sae = randomSae(random, 5, 12, { normalization });
  const x = randomMatrix(random, 30, 5);
  row(x, 4).fill(0);
  const whole = activationsInMemory(x);
  const source = { ...whole, batches: (options = {}) => whole.batches({ ...options, batchRows: 8 }) };
  const codesIn = async (sample: CodedSample) => {
    const codes: SparseCode[] = [];
    for await (const batch of sample.batches()) codes.push(batch.codes[0].contributions);
    return codes;
  };
  const inMemory = await codesIn(codeSample([sae], source, referenceKernels));
  // Active, but on a scale of 0.
  expect(inMemory[0].values).toContain(0);

  let encoded = 0;
  const encode: Kernels["encode"] = (x, ...rest) => {
    encoded += x.rows;
    return referenceKernels.encode(x, ...rest);
  };
  const overFolder = async (end: number) => {
    const stores = [await openCodeFolder(path, { key })];
    return codesIn(codeSample([sae], source, { ...referenceKernels, encode }, { stores, end }));
  };
  expect(await overFolder(16)).toEqual(inMemory.slice(0, 2));
  expect(await overFolder(30)).toEqual(inMemory);
  expect(await overFolder(30)).toEqual(inMemory);
  expect(encoded).toBe(30);
});

describe("openCodeFolder() refuses", () => {
  test.each([
    [{ key: { ...key, sae: "07e4" } }, 'its sae is "5ae0", not "07e4"'],
    [{ key: { ...key, more: "x" } }, 'its more is absent, not "x"'],
    [{ key: { sae: "5ae0", activations: "ac7" } }, 'its excludeTokens is "[1]", not absent'],
    [{ key, precision: "f16" }, 'its precision is "f32", not "f16"'],
    [
      { key: { ...key, sae: "07e4", activations: "other" }, precision: "f16" },
      'its precision is "f32", not "f16"; its activations is "ac7", not "other"; its sae is "5ae0", not "07e4"',
    ],
  ] as const)("a folder of another key or precision: %j", async (options, difference) => {
    await openCodeFolder(path, { key });
    const error = await refusal(openCodeFolder(path, options));
    expect(error).toEqual(
      new DataError(
        `${path} holds other codes than are asked for: ${difference}. Give another folder, or delete this one`,
      ),
    );
  });

  test("codes that nothing describes", async () => {
    await (await openCodeFolder(path, { key })).write(stretch, code);
    await rm(join(path, "codes.json"));
    const error = await refusal(openCodeFolder(path, { key }));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain(
      `${path} holds rows-256-512.safetensors, but no codes.json that says what these are codes of: delete`,
    );
  });

  test.each([
    ["{", "codes.json is not JSON"],
    ["[]", "codes.json holds an array of 0"],
    [
      '{"schema":"saestitch.codes/2"}',
      'codes.json has the schema "saestitch.codes/2", expected "saestitch.codes/1"',
    ],
    ['{"schema":"saestitch.codes/1"}', "codes.json has the key undefined, expected an object"],
  ])("the description %s", async (text, message) => {
    await openCodeFolder(path, { key });
    await writeFile(join(path, "codes.json"), text);
    const error = await refusal(openCodeFolder(path, { key }));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(message);
    expect(error.message).toContain("delete the folder, and its codes are made again");
  });

  test("a file where the folder should be", async () => {
    await writeFile(join(root, "file"), "");
    const error = await refusal(openCodeFolder(join(root, "file"), { key }));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain(`Cannot keep codes in the folder ${join(root, "file")}`);
  });
});

describe("a damaged file of codes is refused by name, with what to do:", () => {
  const few = randomCode(seededRandom(2), 4, 9);

  test("any single byte changed, unless the code is the same all the same", async () => {
    const store = await openCodeFolder(path, { key });
    await store.write(stretch, few);
    const bytes = await readFile(file());
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] ^= 1 << (at % 8);
      await writeFile(file(), damaged);
      const read = await store.read(stretch).catch((e) => e);
      if (read instanceof Error) {
        refused++;
        expect(read).toBeInstanceOf(FormatError);
        expect(read.message).toContain(file());
        expect(read.message).toContain("delete this file, and its codes are made again");
      } else expect(read).toEqual(few);
    }
    expect(refused).toBeGreaterThan(0.9 * bytes.length);
  });

  test("any length too short or too long", async () => {
    const store = await openCodeFolder(path, { key });
    await store.write(stretch, few);
    const bytes = await readFile(file());
    for (let length = 0; length < bytes.length; length += 7) {
      await writeFile(file(), bytes.subarray(0, length));
      expect(await refusal(store.read(stretch))).toBeInstanceOf(FormatError);
    }
    await writeFile(file(), Buffer.concat([bytes, bytes.subarray(0, 1)]));
    expect(await refusal(store.read(stretch))).toBeInstanceOf(FormatError);
  });

  test("a value that is another sound value", async () => {
    const store = await openCodeFolder(path, { key });
    await store.write(stretch, few);
    const bytes = await readFile(file());
    const { start } = (await openSafetensors(bytesSource("intact", bytes))).info("values");
    bytes[start] ^= 1;
    await writeFile(file(), bytes);
    const error = await refusal(store.read(stretch));
    expect(error.message).toMatch(
      new RegExp(
        `^${file()} has been damaged: the checksum of its code is [0-9a-f]{8}, but it states "[0-9a-f]{8}"`,
      ),
    );
  });

  test("more rows than the stretch has", async () => {
    const store = await openCodeFolder(path, { key });
    await store.write({ start: 0, end: 3 }, few);
    expect((await refusal(store.read({ start: 0, end: 3 }))).message).toContain(
      "rows-0-3.safetensors holds a code of 4 rows, expected 0 to 3; delete this file",
    );
  });
});

test("codeFolderPath() depends on the key, not on its order", () => {
  const path = codeFolderPath(root, { a: "1", b: "2" });
  expect(path).toMatch(new RegExp(`^${root}/[0-9a-f]{24}$`));
  expect(codeFolderPath(root, { b: "2", a: "1" })).toBe(path);
  const others = [
    { a: "1" },
    { a: "2", b: "1" },
    { a: "1", b: "2", c: "" },
    { a: '1","b":"2' },
    { "10": "1", "9": "2" },
  ];
  expect(new Set([path, ...others.map((key) => codeFolderPath(root, key))]).size).toBe(others.length + 1);
});

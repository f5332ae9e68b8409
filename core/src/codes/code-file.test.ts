import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { whole } from "../../test-support/whole.ts";
import { DataError, FormatError } from "../errors.ts";
import { bytesSource } from "../formats/bytes-source.ts";
import { encodeSafetensors } from "../formats/encode-safetensors.ts";
import { openSafetensors } from "../formats/safetensors.ts";
import type { TensorToWrite } from "../formats/tensor-to-write.ts";
import { randomCode } from "../kernels/random-arguments.conformance.ts";
import { seededRandom } from "../linalg/random.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { decodeCode, encodeCode, roundCode } from "./code-file.ts";

/** Activations of many sizes, within what float16 holds. */
const anyCode = fc
  .record({ rows: fc.nat(9), columns: fc.nat(9), seed: fc.integer() })
  .map(({ rows, columns, seed }) => {
    const random = seededRandom(seed);
    const code = randomCode(random, rows, columns);
    return { ...code, values: code.values.map((value) => value * 10 ** (13 * random() - 9)) };
  });

const source = async (chunks: Iterable<Uint8Array<ArrayBuffer>>) =>
  bytesSource("made.safetensors", await whole(chunks));

const small: SparseCode = {
  rows: 2,
  columns: 5,
  offsets: Int32Array.of(0, 2, 3),
  indices: Int32Array.of(1, 4, 0),
  values: Float32Array.of(0.5, 2, 3),
};

const oneValue = (value: number): SparseCode => ({
  rows: 1,
  columns: 1,
  offsets: Int32Array.of(0, 1),
  indices: Int32Array.of(0),
  values: Float32Array.of(value),
});

test("decodeCode() gives what encodeCode() was given, with what was stored beside it", async () => {
  await fc.assert(
    fc.asyncProperty(anyCode, async (code) => {
      const file = await source(encodeCode(code, { metadata: { of: "the café" } }));
      const decoded = await decodeCode(file, { mostRows: code.rows });
      expect(decoded.code).toEqual(code);
      expect({ ...decoded.metadata }).toEqual({ of: "the café", columns: String(code.columns) });
    }),
  );
});

test("decodeCode() gives what roundCode() gave, bit for bit, from float16", async () => {
  await fc.assert(
    fc.asyncProperty(anyCode, async (code) => {
      const rounded = roundCode(code, "f16");
      const { code: read } = await decodeCode(await source(encodeCode(rounded, { precision: "f16" })));
      expect(read).toEqual(rounded);
      expect(roundCode(rounded, "f16")).toEqual(rounded);
    }),
  );
});

test("encodeCode() in float16 takes six bytes for each entry, in float32 eight", async () => {
  const code = randomCode(seededRandom(1), 50, 140);
  const sizes = await Promise.all(
    (["f16", "f32"] as const).map(async (precision) => {
      const { tensors } = await openSafetensors(
        await source(encodeCode(roundCode(code, precision), { precision })),
      );
      return [...tensors.values()].reduce((sum, { start, end }) => sum + end - start, 0);
    }),
  );
  const entries = code.indices.length;
  expect(sizes.map((size) => size - 4 * 51)).toEqual([6 * entries, 8 * entries]);
});

test("decodeCode() reads into memory that worker threads share", async () => {
  const { code } = await decodeCode(await source(encodeCode(small)));
  for (const array of [code.offsets, code.indices, code.values])
    expect(array.buffer).toBeInstanceOf(SharedArrayBuffer);
});

describe("roundCode()", () => {
  test("gives the very same code for f32", () => {
    expect(roundCode(small, "f32")).toBe(small);
  });

  test("rounds to eleven bits for f16, and keeps every active latent active", () => {
    fc.assert(
      fc.property(anyCode, (code) => {
        const rounded = roundCode(code, "f16");
        expect(rounded.indices).toBe(code.indices);
        expect(rounded.offsets).toBe(code.offsets);
        rounded.values.forEach((value, entry) => {
          const exact = code.values[entry];
          expect(value).toBeGreaterThan(0);
          expect(Math.abs(value - exact)).toBeLessThanOrEqual(Math.max(exact * 2 ** -11, 2 ** -24));
        });
      }),
    );
  });

  test("takes a positive value below the least of f16 for that, and leaves 0", () => {
    const code = {
      ...small,
      offsets: Int32Array.of(0, 2, 3),
      values: Float32Array.of(1e-12, 0, 2 ** -25),
    };
    expect([...roundCode(code, "f16").values]).toEqual([2 ** -24, 0, 2 ** -24]);
  });

  test("takes 65504 for f16, and says to use f32 beyond what rounds to it", () => {
    expect([...roundCode(oneValue(65_519), "f16").values]).toEqual([65_504]);
    expect(() => roundCode(oneValue(65_520), "f16")).toThrow(
      new DataError(
        "Cannot keep an activation of 65520 in f16, which ends at 65504: keep these codes in f32",
      ),
    );
  });
});

test.each([
  [
    "is not finite",
    { values: Float32Array.of(1, Number.POSITIVE_INFINITY, 1) },
    "has the activation Infinity",
  ],
  ["is no number", { values: Float32Array.of(1, Number.NaN, 1) }, "entry 1 has the activation NaN"],
  ["is negative", { values: Float32Array.of(1, 1, -1) }, "entry 2 has the activation -1"],
  ["has a latent twice", { indices: Int32Array.of(1, 1, 0) }, "row 0 names latent 1, expected one above 1"],
  ["lacks offsets", { offsets: Int32Array.of(0, 3) }, "it has 2 offsets for 2 rows"],
])("encodeCode() refuses a code that %s", (_, part, message) => {
  const action = () => encodeCode({ ...small, ...part });
  expect(action).toThrow(DataError);
  expect(action).toThrow(message);
});

/** A file of these tensors, `small` by default. */
function made({
  columns = "5",
  ...parts
}: { readonly columns?: string } & Partial<Record<string, Partial<TensorToWrite> | null>>) {
  const sound: TensorToWrite[] = [
    { name: "offsets", dtype: "I32", shape: [3], values: small.offsets },
    { name: "indices", dtype: "I32", shape: [3], values: small.indices },
    { name: "values", dtype: "F32", shape: [3], values: small.values },
  ];
  const tensors = sound
    .filter(({ name }) => parts[name] !== null)
    .map((tensor) => ({ ...tensor, ...parts[tensor.name] }));
  return source(encodeSafetensors(tensors, { columns }));
}

describe("decodeCode() refuses", () => {
  const ints = (...values: number[]) => ({ values: Int32Array.from(values), shape: [values.length] });
  const floats = (...values: number[]) => ({ values: Float32Array.from(values), shape: [values.length] });

  test("nothing of the sound file that the others differ from", async () => {
    expect((await decodeCode(await made({}), { mostRows: 2 })).code).toEqual(small);
  });

  test.each([
    ["offsets that begin behind 0", { offsets: ints(1, 2, 3) }, "offsets go from 1 to 3, expected 0 to 3"],
    ["offsets that end too early", { offsets: ints(0, 1, 2) }, "offsets go from 0 to 2, expected 0 to 3"],
    ["offsets that end too late", { offsets: ints(0, 2, 4) }, "offsets go from 0 to 4, expected 0 to 3"],
    ["offsets that descend", { offsets: ints(0, 2_000_000_000, 3) }, "descend from 2000000000 to 3 at row 1"],
    ["offsets below 0", { offsets: ints(0, -1, 3) }, "descend from 0 to -1 at row 0"],
    ["no offsets", { offsets: ints() }, "holds a code of -1 rows"],
    ["more rows than asked for", { offsets: ints(0, 1, 2, 3) }, "code of 3 rows, expected 0 to 2"],
    [
      "a latent that there is not",
      { indices: ints(1, 5, 0) },
      "row 0 names latent 5, expected one above 1 and below 5",
    ],
    ["a latent below 0", { indices: ints(-1, 4, 0) }, "row 0 names latent -1"],
    ["latents out of order", { indices: ints(4, 1, 0) }, "row 0 names latent 1, expected one above 4"],
    ["more values than indices", { values: floats(1, 2, 3, 4) }, "holds 3 indices and 4 values"],
    ["a value that is no number", { values: floats(1, Number.NaN, 3) }, "entry 1 has the activation NaN"],
    ["an infinite value", { values: floats(1, 2, Number.POSITIVE_INFINITY) }, "activation Infinity"],
    ["a negative value", { values: floats(-1, 2, 3) }, "entry 0 has the activation -1"],
    ["more entries than there is room for", { columns: "1" }, "at most 2 × 1"],
    ["columns that are no number", { columns: "5e0" }, 'states "5e0" columns'],
    ["more columns than an index can name", { columns: "2147483648" }, 'states "2147483648" columns'],
    ["a tensor that is missing", { values: null }, 'has no tensor "values"; it has indices, offsets'],
    ["values of another type", { values: { dtype: "F64" } }, '"values" of made.safetensors is "F64"'],
    [
      "indices of another type",
      { indices: { dtype: "U32" } },
      'is "U32" of shape [3], expected a list of I32',
    ],
    ["a matrix for a list", { indices: { shape: [3, 1] } }, 'is "I32" of shape [3, 1], expected a list'],
  ] as const)("%s", async (_, parts, message) => {
    const error: Error = await decodeCode(await made(parts), { mostRows: 2 }).then(
      () => expect.unreachable(),
      (e) => e,
    );
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain("made.safetensors");
    expect(error.message).toContain(message);
  });

  test("a file that does not state its columns", async () => {
    const tensors = [{ name: "offsets", dtype: "I32", shape: [1], values: Int32Array.of(0) }] as const;
    await expect(decodeCode(await source(encodeSafetensors(tensors)))).rejects.toThrow(
      "made.safetensors states undefined columns in its metadata",
    );
  });

  test("any damage with a FormatError, or reads a sound code", async () => {
    const bytes = await whole(encodeCode(randomCode(seededRandom(3), 6, 9)));
    const damage = fc.record({ at: fc.nat(bytes.length - 1), value: fc.nat(255), cut: fc.nat(9) });
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, value, cut }) => {
        const damaged = bytes.slice(0, cut === 0 ? at : bytes.length);
        damaged[at] = value;
        const read = await decodeCode(bytesSource("damaged", damaged)).catch((e) => e);
        if (read instanceof Error) {
          expect(read).toBeInstanceOf(FormatError);
          expect(read.message).toContain("damaged");
        } else {
          expect((await decodeCode(await source(encodeCode(read.code)))).code).toEqual(read.code);
        }
      }),
      { numRuns: 500 },
    );
  });
});

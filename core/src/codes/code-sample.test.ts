import { describe, expect, test } from "vitest";
import { largestDifference } from "../../test-support/plain-forward.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import type { ActivationSource } from "../activations/activation-source.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { encode, reconstruct, residual } from "../sae/encode.ts";
import type { Normalization, Sae } from "../sae/sae.ts";
import { type Matrix, row, rowRange, zeros } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { codeSample, stretchRows } from "./code-sample.ts";
import type { CodedBatch, CodedSample } from "./coded-sample.ts";
import { memoryCodeStore } from "./memory-code-store.ts";

const d = 5;

/** The reference kernels, counting the rows that are encoded by each encoder, and waiting first when told to. */
function counting({ before = async () => {} }: { readonly before?: () => Promise<void> } = {}) {
  const encoded = new Map<Matrix, number>();
  const kernels: Kernels = {
    ...referenceKernels,
    async encode(x, encoder, ...rest) {
      encoded.set(encoder, (encoded.get(encoder) ?? 0) + x.rows);
      await before();
      return referenceKernels.encode(x, encoder, ...rest);
    },
  };
  return { kernels, rowsOf: (sae: Sae) => encoded.get(sae.encoder) ?? 0 };
}

async function collect(sample: CodedSample): Promise<CodedBatch[]> {
  const batches: CodedBatch[] = [];
  for await (const batch of sample.batches()) batches.push(batch);
  return batches;
}

/** Rows of `x` by number. */
function pick(x: Matrix, rows: readonly number[]): Matrix {
  const picked = zeros(rows.length, x.columns);
  rows.forEach((i, place) => {
    row(picked, place).set(row(x, i));
  });
  return picked;
}

/** Rows of the stretches into which {@link inStretches} cuts a sample. */
const stretch = 16;

/** The same sample in batches that are shorter than asked for, as every source may give them. */
function inStretches(source: ActivationSource): ActivationSource {
  return { ...source, batches: (options) => source.batches({ ...options, batchRows: stretch }) };
}

describe("stretchRows()", () => {
  test("is a power of two that keeps a stretch within 16 MiB, from 256 to 32768 rows", () => {
    expect([1, 64, 128, 129, 768, 2304, 4096, 2 ** 14, 2 ** 20].map(stretchRows)).toEqual([
      32_768, 32_768, 32_768, 16_384, 4096, 1024, 1024, 256, 256,
    ]);
  });
});

const normalizations: readonly Normalization[] = [
  { kind: "none" },
  { kind: "layer-norm" },
  { kind: "unit-mean-square" },
];

describe.each(normalizations)("with $kind", (normalization) => {
  const random = seededRandom(3);
  const saes = everyActivation(random, 9).map((activation) =>
    randomSae(random, d, 9, { activation, normalization }),
  );
  const x = randomMatrix(random, 40, d, 1.5);
  // A token without a scale of its own, whose contributions may be 0.
  row(x, 7).fill(0);

  test("the codes are those that encode() gives, for every activation, on both readings", async () => {
    const sample = codeSample(saes, activationsInMemory(x), referenceKernels);
    for (let reading = 0; reading < 2; reading++) {
      const [batch, ...others] = await collect(sample);
      expect(others).toEqual([]);
      expect([batch.start, batch.end, batch.excluded, batch.nonFinite]).toEqual([0, 40, 0, 0]);
      expect(batch.activations).toEqual(x);
      for (const [s, sae] of saes.entries()) {
        const { code: _, ...expected } = await encode(sae, x, referenceKernels);
        expect(batch.codes[s]).toEqual(expected);
      }
    }
  });

  test("the codes reconstruct what the SAEs do, on both readings", async () => {
    const sample = codeSample(saes, activationsInMemory(x), referenceKernels);
    for (let reading = 0; reading < 2; reading++) {
      const [{ codes }] = await collect(sample);
      for (const [s, sae] of saes.entries()) {
        const expected = await reconstruct(sae, await encode(sae, x, referenceKernels), referenceKernels);
        const found = await reconstruct(sae, codes[s], referenceKernels);
        expect(largestDifference(found.values, expected.values)).toBe(0);
      }
    }
  });
});

describe("rows that do not count", () => {
  const random = seededRandom(4);
  const saes = [randomSae(random, d, 7), randomSae(random, d, 12)];
  const documentIds = Int32Array.of(3, 3, 3, 5, 5, 5, 8, 8);
  const excluded = Uint8Array.of(1, 0, 0, 1, 0, 0, 1, 0);
  const x = randomMatrix(random, 8, d);
  const broken = { ...x, values: x.values.slice() };
  row(broken, 2)[1] = Number.NaN;
  row(broken, 3)[0] = Number.POSITIVE_INFINITY;

  test("are left out of activations, codes and documents, and counted", async () => {
    const source = activationsInMemory(broken, { documentIds, excluded });
    const [batch] = await collect(codeSample(saes, source, referenceKernels, { skipNonFinite: true }));
    const kept = pick(x, [1, 4, 5, 7]);
    expect([batch.start, batch.end, batch.excluded, batch.nonFinite]).toEqual([0, 8, 3, 1]);
    expect(batch.activations).toEqual(kept);
    expect(batch.documentIds).toEqual(Int32Array.of(3, 5, 5, 8));
    for (const [s, sae] of saes.entries())
      expect(batch.codes[s].contributions).toEqual((await encode(sae, kept, referenceKernels)).contributions);
  });

  test("may be all there are", async () => {
    const source = activationsInMemory(x, { excluded: excluded.map(() => 1) });
    const sample = codeSample(saes, source, referenceKernels);
    for (const [batch] of [await collect(sample), await collect(sample)]) {
      expect([batch.activations.rows, batch.excluded]).toEqual([0, 8]);
      expect(batch.codes.map(({ contributions }) => contributions.rows)).toEqual([0, 0]);
    }
  });

  test("are refused while reading when they hold NaN, unless they may be left out", async () => {
    const sample = codeSample(saes, activationsInMemory(broken), referenceKernels);
    await expect(collect(sample)).rejects.toThrow(DataError);
    await expect(collect(sample)).rejects.toThrow("the first is row 2");
  });

  test("documents are absent where the sample does not know them", async () => {
    const [batch] = await collect(codeSample(saes, activationsInMemory(x), referenceKernels));
    expect("documentIds" in batch).toBe(false);
  });
});

describe("over several stretches", () => {
  const random = seededRandom(5);
  const saes = [randomSae(random, d, 7), randomSae(random, d, 12)];
  const x = randomMatrix(random, 2 * stretch + 3, d);
  const source = inStretches(activationsInMemory(x));

  test("each SAE encodes each row once, however often the sample is read", async () => {
    const { kernels, rowsOf } = counting();
    const sample = codeSample(saes, source, kernels);
    for (let reading = 0; reading < 3; reading++) {
      const batches = await collect(sample);
      expect(batches.map(({ start, end }) => [start, end])).toEqual([
        [0, 16],
        [16, 32],
        [32, 35],
      ]);
      expect(saes.map(rowsOf)).toEqual([x.rows, x.rows]);
    }
  });

  test("two readings at once share the work", async () => {
    const { kernels, rowsOf } = counting();
    const sample = codeSample(saes, source, kernels);
    const [one, two] = await Promise.all([collect(sample), collect(sample)]);
    expect(one).toEqual(two);
    expect(saes.map(rowsOf)).toEqual([x.rows, x.rows]);
  });

  test("a reading that was left after one stretch is gone on with, what it was at included", async () => {
    const { kernels, rowsOf } = counting({ before: () => new Promise((resolve) => setTimeout(resolve, 5)) });
    const sample = codeSample(saes, source, kernels);
    for await (const batch of sample.batches()) {
      expect(batch.end).toBe(stretch);
      break;
    }
    // One stretch was handed out, and at most one more was begun.
    for (const sae of saes) expect([stretch, 2 * stretch]).toContain(rowsOf(sae));
    expect((await collect(sample)).length).toBe(3);
    expect(saes.map(rowsOf)).toEqual([x.rows, x.rows]);
  });

  test("another sample over the same stores encodes only what they lack", async () => {
    const stores = saes.map(memoryCodeStore);
    await collect(codeSample(saes, source, referenceKernels, { stores, end: stretch }));
    const { kernels, rowsOf } = counting();
    const batches = await collect(codeSample(saes, source, kernels, { stores }));
    expect(saes.map(rowsOf)).toEqual([x.rows - stretch, x.rows - stretch]);
    const again = counting();
    expect(await collect(codeSample(saes, source, again.kernels, { stores }))).toEqual(batches);
    expect(saes.map(again.rowsOf)).toEqual([0, 0]);
  });

  test("an encoding that failed is tried again by the next reading", async () => {
    let failures = 1;
    const { kernels, rowsOf } = counting({
      before: async () => {
        if (failures-- > 0) throw new Error("the thread was lost");
      },
    });
    const sample = codeSample([saes[0]], source, kernels);
    await expect(collect(sample)).rejects.toThrow("the thread was lost");
    expect((await collect(sample)).length).toBe(3);
    expect(rowsOf(saes[0])).toBe(x.rows + stretch);
  });

  test("a batch's activations may be overwritten without changing its codes or later readings", async () => {
    const sample = codeSample(saes, source, referenceKernels);
    const codes: SparseCode[] = [];
    for await (const batch of sample.batches()) {
      batch.activations.values.fill(Number.NaN);
      codes.push(batch.codes[1].contributions);
    }
    const again = await collect(sample);
    expect(again.map((batch) => batch.codes[1].contributions)).toEqual(codes);
    again.forEach(({ start, end, activations }) => {
      expect(activations).toEqual(rowRange(x, start, end));
    });
  });

  test("only the rows before `end` are read", async () => {
    const sample = codeSample(saes, source, referenceKernels, { end: 20 });
    expect(sample.rows).toBe(20);
    expect((await collect(sample)).map(({ start, end }) => [start, end])).toEqual([
      [0, 16],
      [16, 20],
    ]);
  });

  test("a stretch has the rows that stretchRows() says", async () => {
    const width = 2 ** 14;
    const sample = codeSample(
      [randomSae(random, width, 1)],
      activationsInMemory(zeros(300, width)),
      referenceKernels,
    );
    const stretches: [number, number][] = [];
    for await (const { start, end } of sample.batches()) stretches.push([start, end]);
    expect(stretches).toEqual([
      [0, 256],
      [256, 300],
    ]);
  });
});

describe("an SAE that reads what another leaves", () => {
  const random = seededRandom(8);
  const x = randomMatrix(random, 40, d, 1.5);
  const source = inStretches(activationsInMemory(x));
  const everyKind = everyActivation(random, 9).map((activation) => randomSae(random, d, 9, { activation }));
  const hosts = everyKind.map((_, s) => (s === 0 ? undefined : s - 1));

  test("has the codes of x − x̂ of that one, for every activation, and as often as there are such SAEs", async () => {
    const sample = codeSample(everyKind, activationsInMemory(x), referenceKernels, { residualOf: hosts });
    expect(sample.residualOf).toEqual(hosts);
    const [batch] = await collect(sample);
    expect(batch.activations).toEqual(x);
    let read = x;
    for (const [s, sae] of everyKind.entries()) {
      const { code: _, ...expected } = await encode(sae, read, referenceKernels);
      expect(batch.codes[s]).toEqual(expected);
      read = await residual(sae, read, expected, referenceKernels);
    }
  });

  test("is encoded once, and from the second reading on nothing is taken away from the activations", async () => {
    const { kernels, rowsOf } = counting();
    let decoded = 0;
    const decode: Kernels["decode"] = (code, ...rest) => {
      decoded += code.rows;
      return kernels.decode(code, ...rest);
    };
    const stores = everyKind.map(memoryCodeStore);
    const options = { residualOf: hosts, stores };
    const sample = codeSample(everyKind, source, { ...kernels, decode }, options);
    const first = await collect(sample);
    const decodedFirst = decoded;
    expect(decodedFirst).toBeGreaterThan(0);
    expect(await collect(sample)).toEqual(first);
    expect(await collect(codeSample(everyKind, source, { ...kernels, decode }, options))).toEqual(first);
    expect(everyKind.map(rowsOf)).toEqual(everyKind.map(() => x.rows));
    expect(decoded).toBe(decodedFirst);
  });

  test("goes by the kept codes of its host, and leaves out the rows that do not count", async () => {
    const [host, , , , last] = everyKind;
    const excluded = Uint8Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const stores = [host, last].map(memoryCodeStore);
    const halved: typeof stores = [
      {
        ...stores[0],
        write: (stretch, code) =>
          stores[0].write(stretch, { ...code, values: code.values.map((value) => value / 2) }),
      },
      stores[1],
    ];
    const [batch] = await collect(
      codeSample([host, last], activationsInMemory(x, { excluded }), referenceKernels, {
        stores: halved,
        residualOf: [undefined, 0],
      }),
    );
    const read = await residual(host, batch.activations, batch.codes[0], referenceKernels);
    expect(read.rows).toBe(26);
    expect(batch.codes[1].contributions).toEqual((await encode(last, read, referenceKernels)).contributions);
  });

  test("must come after the other, and not normalise its input", () => {
    for (const residualOf of [
      [0],
      [1],
      [undefined, 1],
      [undefined, 0.5],
      [undefined, -1],
      [undefined, undefined, 0],
    ])
      expect(() => codeSample(everyKind.slice(0, 2), source, referenceKernels, { residualOf })).toThrow(
        ShapeError,
      );
    const normalized = everyKind
      .slice(0, 2)
      .map((sae): Sae => ({ ...sae, normalization: { kind: "layer-norm" } }));
    const action = () => codeSample(normalized, source, referenceKernels, { residualOf: [undefined, 0] });
    expect(action).toThrow(UnsupportedError);
    expect(action).toThrow(
      "SAE 1 normalises its input by layer-norm, and cannot read what another SAE leaves",
    );
  });
});

describe("codeSample() refuses", () => {
  const random = seededRandom(6);
  const sae = randomSae(random, d, 7);
  const x = randomMatrix(random, 10, d);
  const source = activationsInMemory(x, { location: "the sample" });

  test("activations of another width than the SAEs read", () => {
    const action = () => codeSample([randomSae(random, 4, 7)], source, referenceKernels);
    expect(action).toThrow(ShapeError);
    expect(action).toThrow("read activations of width 4, but the sample holds activations of width 5");
  });

  test("SAEs that cannot be compared", () => {
    const other = randomSae(random, d, 7, { normalization: { kind: "layer-norm" } });
    expect(() => codeSample([sae, other], source, referenceKernels)).toThrow(UnsupportedError);
    expect(() => codeSample([sae, randomSae(random, 4, 7)], source, referenceKernels)).toThrow(ShapeError);
  });

  test("no rows", () => {
    const empty = activationsInMemory(zeros(0, d), { location: "nothing" });
    for (const action of [
      () => codeSample([sae], empty, referenceKernels),
      () => codeSample([sae], source, referenceKernels, { end: 0 }),
    ])
      expect(action).toThrow(DataError);
    expect(() => codeSample([sae], empty, referenceKernels)).toThrow("nothing holds no activations");
  });

  test("another number of stores than of SAEs", () => {
    const action = () => codeSample([sae, sae], source, referenceKernels, { stores: [memoryCodeStore()] });
    expect(action).toThrow(new ShapeError("2 SAEs need as many stores of codes, got 1"));
  });

  test("codes of another SAE or of other rows in a store", async () => {
    const store = memoryCodeStore();
    await collect(codeSample([sae], source, referenceKernels, { stores: [store] }));
    const excluded = Uint8Array.from({ length: 10 }, (_, i) => (i < 2 ? 1 : 0));
    const fewer = activationsInMemory(x, { excluded });
    const larger = randomSae(random, d, 8);
    for (const [other, rows, expected] of [
      [sae, fewer, "expected 8 rows and 7 latents"],
      [larger, source, "expected 10 rows and 8 latents"],
    ] as const) {
      const reading = collect(codeSample([other], rows, referenceKernels, { stores: [store] }));
      await expect(reading).rejects.toThrow(ShapeError);
      const again = collect(codeSample([other], rows, referenceKernels, { stores: [store] }));
      await expect(again).rejects.toThrow(
        `memory holds codes of 10 rows and 7 latents for rows 0 to 10, ${expected}: they are of another SAE or sample`,
      );
    }
  });
});

test("codeSample() says what it is over", () => {
  const random = seededRandom(7);
  const saes = [randomSae(random, d, 7)];
  const source = activationsInMemory(randomMatrix(random, 3, d), { location: "the sample" });
  const sample = codeSample(saes, source, referenceKernels);
  expect([sample.location, sample.d, sample.rows]).toEqual(["the sample", d, 3]);
  expect(sample.saes).toBe(saes);
});

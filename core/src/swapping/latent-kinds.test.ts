import { describe, expect, test } from "vitest";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { normal, seededRandom } from "../linalg/random.ts";
import type { Sae } from "../sae/sae.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import type { LatentKind } from "./latent-kinds.ts";
import { measureFamilies } from "./measure-families.ts";

const d = 64;

/** A direction or an encoder row: weights by dimension. */
type Weights = Readonly<Record<number, number>>;

interface Planted {
  readonly writes: Weights;
  /** What it reads; the same as it writes, unless said. */
  readonly reads?: Weights;
  /** Below this it is silent. */
  readonly threshold?: number;
}

function rowsOf(all: readonly Weights[]): Matrix {
  const m = zeros(all.length, d);
  all.forEach((weights, j) => {
    for (const [k, weight] of Object.entries(weights)) row(m, j)[Number(k)] = weight;
  });
  return m;
}

function plant(latents: readonly Planted[]): Sae {
  return {
    encoder: rowsOf(latents.map(({ writes, reads = writes }) => reads)),
    encoderBias: new Float32Array(latents.length),
    decoder: rowsOf(latents.map(({ writes }) => writes)),
    decoderBias: new Float32Array(d),
    inputBias: new Float32Array(d),
    activation: {
      kind: "jumprelu",
      threshold: Float32Array.from(latents, ({ threshold = 0.5 }) => threshold),
    },
    normalization: { kind: "none" },
    folds: [],
    origin: { dialect: "none" },
  };
}

/** Tokens that are each one of `mixtures`, of varying strength, in documents of two. */
function tokens(mixtures: readonly Weights[]) {
  const random = seededRandom(4);
  const x = zeros(600, d);
  for (let i = 0; i < x.rows; i++) {
    const strength = Math.exp(0.1 * normal(random));
    for (let k = 0; k < d; k++) row(x, i)[k] = 0.01 * normal(random);
    for (const [k, weight] of Object.entries(mixtures[i % mixtures.length]))
      row(x, i)[Number(k)] += strength * weight;
  }
  return activationsInMemory(x, { documentIds: Int32Array.from({ length: 600 }, (_, i) => i >> 1) });
}

async function kindsOf(
  smaller: readonly Planted[],
  larger: readonly Planted[],
  mixtures: readonly Weights[],
): Promise<readonly LatentKind[]> {
  const coded = codeSample([plant(smaller), plant(larger)], tokens(mixtures), kernels);
  return (await measureFamilies(coded, kernels)).kinds;
}

const half = Math.SQRT1_2;

describe("latentKinds()", () => {
  test("calls a latent that copies one, however often the smaller SAE has it, a copy of the closest", async () => {
    const near = { 0: 0.98, 1: 0.199 };
    const kinds = await kindsOf(
      [{ writes: near }, { writes: { 0: 1 } }],
      [{ writes: { 0: 1 } }],
      [{ 0: 1 }, {}],
    );
    expect(kinds).toEqual([{ kind: "copy", parents: [expect.objectContaining({ latent: 1, cosine: 1 })] }]);
  });

  test("does not call a latent a copy that points the same way but fires elsewhere", async () => {
    const [kind] = await kindsOf(
      [{ writes: { 0: 1 }, reads: { 1: 1 } }],
      [{ writes: { 0: 1 }, reads: { 2: 1 } }],
      [{ 0: 0.3, 1: 1 }, { 2: 1 }, { 3: 1 }],
    );
    expect(kind).toEqual({ kind: "other", parents: [] });
  });

  test("calls latents that share out a parent's firing split, and names their siblings", async () => {
    const part = (k: number) => ({ writes: { 0: 0.85, [k]: 0.53 }, reads: { [k]: 1.7 } });
    const kinds = await kindsOf(
      [{ writes: { 0: 1 } }],
      [part(1), part(2), part(3)],
      [{ 0: 1, 1: 0.6 }, { 0: 1, 2: 0.6 }, { 0: 1, 3: 0.6 }, {}],
    );
    expect(kinds.map(({ kind }) => kind)).toEqual(["split", "split", "split"]);
    const [first] = kinds;
    if (first.kind !== "split") throw new Error("expected a split");
    expect(first.siblings).toEqual([1, 2]);
    expect([first.coverage, first.overlap]).toEqual([expect.closeTo(1, 2), expect.closeTo(0, 2)]);
    expect(first.parents[0]).toEqual({
      latent: 0,
      cosine: expect.closeTo(0.849, 2),
      share: expect.closeTo(1, 2),
      agreement: expect.any(Number),
    });
  });

  test("does not call latents split that leave most of the parent out, or fire together", async () => {
    const part = (k: number) => ({ writes: { 0: 0.85, [k]: 0.53 }, reads: { [k]: 1.7 } });
    const rare = [{ 0: 1, 1: 0.6 }, { 0: 1, 2: 0.6 }, { 0: 1 }, { 0: 1 }, { 0: 1 }, { 0: 1 }, {}];
    const some = await kindsOf([{ writes: { 0: 1 } }], [part(1), part(2)], rare);
    expect(some.map(({ kind }) => kind)).toEqual(["other", "other"]);
    const both = await kindsOf([{ writes: { 0: 1 } }], [part(1), part(2)], [{ 0: 1, 1: 0.6, 2: 0.6 }, {}]);
    expect(both.map(({ kind }) => kind)).not.toContain("split");
  });

  test("calls a latent absorbing where the parent's own copy is silent, below the cosine of families too", async () => {
    const kinds = await kindsOf(
      [{ writes: { 0: 1 } }, { writes: { 1: 1 } }],
      [
        { writes: { 0: 1 }, reads: { 0: 1, 2: -2 } },
        { writes: { 1: 1 }, reads: { 1: 1, 2: -2 } },
        { writes: { 0: 0.72, 1: 0.72, 2: 0.6 }, reads: { 2: 1.4 } },
      ],
      [{ 0: 1 }, { 1: 1 }, { 0: 1, 1: 1, 2: 0.7 }, {}],
    );
    expect(kinds.map(({ kind }) => kind)).toEqual(["copy", "copy", "absorbing"]);
    expect(kinds[2]).toMatchObject({
      parents: [
        { latent: 0, general: 0, accompanied: 0 },
        { latent: 1, general: 1, accompanied: 0 },
      ],
    });
  });

  test("calls a sum of latents composed, and does not count parents that point the same way twice", async () => {
    const sum = { writes: { 0: half, 1: half }, threshold: 1 };
    const together = [{ 0: 1, 1: 1 }, { 0: 1 }, { 1: 1 }, {}];
    const composed = await kindsOf([{ writes: { 0: 1 } }, { writes: { 1: 1 } }], [sum], together);
    expect(composed).toEqual([
      {
        kind: "composed",
        parents: [expect.objectContaining({ latent: 0 }), expect.objectContaining({ latent: 1 })],
      },
    ]);
    const [twice] = await kindsOf([{ writes: { 0: 1 } }, { writes: { 0: 1 } }], [sum], together);
    expect(twice.kind).not.toBe("composed");
  });

  test("calls a latent along what is missing novel and one that never fires dead", async () => {
    const kinds = await kindsOf(
      [{ writes: { 0: 1 } }],
      [{ writes: { 1: 1 } }, { writes: { 2: 1 }, threshold: 100 }],
      [{ 0: 1, 1: 1 }, { 1: 1 }, {}],
    );
    expect(kinds).toEqual([{ kind: "novel" }, { kind: "dead" }]);
  });
});

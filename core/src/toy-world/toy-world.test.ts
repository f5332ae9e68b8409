import { afterAll, expect, test } from "vitest";
import { usableRows } from "../activations/usable-rows.ts";
import { UnsupportedError } from "../errors.ts";
import { createWasmKernels } from "../kernels/wasm-kernels.ts";
import {
  addBatch,
  emptyReconstructionSums,
  type ReconstructionMetrics,
  reconstructionMetrics,
} from "../metrics/reconstruction.ts";
import { checkSae } from "../sae/check-sae.ts";
import { encode, residual } from "../sae/encode.ts";
import { rocCurve } from "../statistics/roc.ts";
import { type Matrix, row } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { makeToyWorld, type ToyWorld } from "./toy-world.ts";

const kernels = await createWasmKernels();
afterAll(() => kernels.close());

const dot = (a: Float32Array, b: Float32Array) => {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += a[c] * b[c];
  return sum;
};

/** Codes and reconstruction errors of both SAEs, batch by batch, BOS left out. */
async function* encoded({ source, smaller, larger }: ToyWorld) {
  for await (const batch of source.batches()) {
    const usable = usableRows(batch, source.location);
    const x = usable.activations;
    const host = await encode(smaller, x, kernels);
    const donor = await encode(larger, x, kernels);
    const hostResidual = await residual(smaller, x, host, kernels);
    const donorResidual = await residual(larger, x, donor, kernels);
    yield {
      x,
      documentIds: usable.documentIds!,
      host: host.code,
      donor: donor.code,
      hostResidual,
      donorResidual,
    };
  }
}

/** ΔSSE of each larger latent, Σ f²‖w‖² − 2f⟨w, r⟩, over its standard error, documents being independent. */
async function measure(world: ToyWorld) {
  const { smaller, larger, source } = world;
  const m = larger.decoder.rows;
  const perDocument = new Map<number, Float64Array>();
  const smallerSums = emptyReconstructionSums(source.d, smaller.decoder.rows);
  const largerSums = emptyReconstructionSums(source.d, m);
  for await (const batch of encoded(world)) {
    addBatch(smallerSums, batch.x, batch.hostResidual, batch.host);
    addBatch(largerSums, batch.x, batch.donorResidual, batch.donor);
    const { offsets, indices, values } = batch.donor;
    for (let i = 0; i < batch.x.rows; i++) {
      const document = batch.documentIds[i];
      const sums = perDocument.get(document) ?? new Float64Array(m);
      perDocument.set(document, sums);
      for (let e = offsets[i]; e < offsets[i + 1]; e++) {
        const direction = row(larger.decoder, indices[e]);
        const overlap = dot(direction, row(batch.hostResidual, i));
        sums[indices[e]] += values[e] ** 2 * dot(direction, direction) - 2 * values[e] * overlap;
      }
    }
  }
  const documents = [...perDocument.values()];
  const change = Float64Array.from({ length: m }, (_, j) =>
    documents.reduce((sum, sums) => sum + sums[j], 0),
  );
  const z = change.map((total, j) => {
    const mean = total / documents.length;
    const squares = documents.reduce((sum, sums) => sum + (sums[j] - mean) ** 2, 0);
    return total / Math.sqrt((squares * documents.length) / (documents.length - 1));
  });
  return {
    change,
    z,
    smaller: reconstructionMetrics(smallerSums),
    larger: reconstructionMetrics(largerSums),
  };
}

function bestCosines(rows: Matrix, among: Matrix): number[] {
  return Array.from({ length: rows.rows }, (_, j) =>
    Array.from({ length: among.rows }, (_, i) => dot(row(rows, j), row(among, i))).reduce((a, b) =>
      Math.max(a, b),
    ),
  );
}

function expectBetter(larger: ReconstructionMetrics, smaller: ReconstructionMetrics): void {
  expect(larger.varianceExplained).toBeGreaterThan(smaller.varianceExplained + 0.1);
  expect(larger.varianceExplained).toBeGreaterThan(0.65);
  expect(smaller.varianceExplained).toBeGreaterThan(0.5);
  expect(larger.mse).toBeLessThan(smaller.mse);
  for (const { l0 } of [smaller, larger]) {
    expect(l0).toBeGreaterThan(2);
    expect(l0).toBeLessThan(8);
  }
}

test.for([
  { seed: 1, architecture: "relu" },
  { seed: 2, architecture: "topk" },
  { seed: 3, architecture: "jumprelu" },
] as const)(
  "makeToyWorld($architecture) plants novel latents that improve and others that do not, beyond six standard errors",
  { timeout: 120_000 },
  async (options) => {
    const world = makeToyWorld(options);
    const { change, z, smaller, larger } = await measure(world);
    const unsure = world.truth.flatMap(({ kind, description }, j) =>
      (kind === "novel" ? -z[j] : z[j]) > 6 ? [] : `${j}: ${kind}, ${description}, z = ${z[j]}`,
    );
    expect(unsure).toEqual([]);
    expect([smaller.deadShare, larger.deadShare]).toEqual([0, 0]);
    expectBetter(larger, smaller);
    const cosines = bestCosines(world.larger.decoder, world.smaller.decoder);
    const { area } = rocCurve(
      cosines,
      Array.from(change, (delta) => (delta < 0 ? 1 : 0)),
    )!;
    expect(area).toBeGreaterThan(0.9);
    expect(area).toBeLessThan(0.995);
  },
);

/** Tokens on which each latent fires, over all batches. */
async function firings(world: ToyWorld) {
  const smaller = Array.from({ length: world.smaller.decoder.rows }, () => new Set<number>());
  const larger = Array.from({ length: world.larger.decoder.rows }, () => new Set<number>());
  const collect = (code: SparseCode, into: Set<number>[], first: number) => {
    for (let i = 0; i < code.rows; i++)
      for (let e = code.offsets[i]; e < code.offsets[i + 1]; e++) into[code.indices[e]].add(first + i);
  };
  let first = 0;
  for await (const { x, host, donor } of encoded(world)) {
    collect(host, smaller, first);
    collect(donor, larger, first);
    first += x.rows;
  }
  return { smaller, larger };
}

const average = (shares: number[]) => shares.reduce((sum, share) => sum + share, 0) / shares.length;
const overlap = (a: Set<number>, b: Set<number>) => [...a].filter((token) => b.has(token)).length;

test("makeToyWorld() plants what its truth says: copies agree, splits share out, absorbers silence", async () => {
  const world = makeToyWorld({ documents: 200, architecture: "jumprelu" });
  const fired = await firings(world);
  const ofKind = (wanted: string) => [...world.truth.keys()].filter((j) => world.truth[j].kind === wanted);
  expect(["novel", "copy", "split", "absorbing"].map((kind) => ofKind(kind).length)).toEqual([
    78, 112, 48, 42,
  ]);

  for (const j of ofKind("copy")) {
    const { sources, features } = world.truth[j];
    expect(sources).toHaveLength(1);
    expect(features).toHaveLength(1);
    expect(dot(row(world.larger.decoder, j), row(world.smaller.decoder, sources[0]))).toBeGreaterThan(0.9);
  }
  for (const parent of new Set(ofKind("split").flatMap((j) => world.truth[j].sources))) {
    const parts = ofKind("split").filter((j) => world.truth[j].sources.includes(parent));
    expect(parts).toHaveLength(4);
    const union = new Set(parts.flatMap((j) => [...fired.larger[j]]));
    const total = parts.reduce((sum, j) => sum + fired.larger[j].size, 0);
    expect(union.size / total).toBeGreaterThan(0.9);
    expect(overlap(fired.smaller[parent], union) / fired.smaller[parent].size).toBeGreaterThan(0.6);
  }
  const withParent: number[] = [];
  const withGeneral: number[] = [];
  for (const j of ofKind("absorbing")) {
    const { sources } = world.truth[j];
    expect(sources.length === 1 || sources.length === 2).toBe(true);
    for (const source of sources) {
      const general = ofKind("copy").find((i) => world.truth[i].sources[0] === source)!;
      withParent.push(overlap(fired.larger[j], fired.smaller[source]) / fired.larger[j].size);
      withGeneral.push(overlap(fired.larger[j], fired.larger[general]) / fired.larger[j].size);
    }
  }
  expect(average(withParent)).toBeGreaterThan(0.7);
  expect(average(withGeneral)).toBeLessThan(0.15);
  expect(ofKind("novel").filter((j) => world.truth[j].sources.length === 0)).toHaveLength(50);
});

test("makeToyWorld() gives the same world for the same seed, another for another", () => {
  const small = { documents: 3 };
  expect(makeToyWorld({ seed: 7, ...small }).larger).toEqual(makeToyWorld({ seed: 7, ...small }).larger);
  expect(makeToyWorld({ seed: 7, ...small }).truth).toEqual(makeToyWorld({ seed: 7, ...small }).truth);
  expect(makeToyWorld({ seed: 7, ...small }).larger.decoder).not.toEqual(
    makeToyWorld({ seed: 8, ...small }).larger.decoder,
  );
});

test("makeToyWorld() gives well-formed SAEs with unit directions, the same ones for every architecture", () => {
  const worlds = (["relu", "topk", "jumprelu"] as const).map((architecture) =>
    makeToyWorld({ architecture }),
  );
  for (const { smaller, larger } of worlds)
    for (const sae of [smaller, larger]) {
      checkSae(sae);
      for (let j = 0; j < sae.decoder.rows; j++)
        expect(dot(row(sae.decoder, j), row(sae.decoder, j))).toBeCloseTo(1, 5);
    }
  expect(worlds.map(({ smaller }) => smaller.activation.kind)).toEqual(["relu", "topk", "jumprelu"]);
  expect(worlds[1].larger.decoder).toEqual(worlds[0].larger.decoder);
  expect(worlds[2].larger.decoder).toEqual(worlds[0].larger.decoder);
  expect(worlds[2].truth).toEqual(worlds[0].truth);
});

test("makeToyWorld() refuses a width in which the features would drown, and no documents", () => {
  expect(() => makeToyWorld({ d: 32 })).toThrow(UnsupportedError);
  expect(() => makeToyWorld({ d: 100.5 })).toThrow(UnsupportedError);
  expect(() => makeToyWorld({ documents: 0 })).toThrow(UnsupportedError);
  expect(() => makeToyWorld({ documents: 2.5 })).toThrow(UnsupportedError);
});

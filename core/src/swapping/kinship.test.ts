import fc from "fast-check";
import { expect, test } from "vitest";
import { ShapeError } from "../errors.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { addKinship, emptyKinshipSums, type Kinship, mergeKinshipSums } from "./kinship.ts";

/** A code of the rows of a dense one. */
function codeOf(dense: readonly (readonly number[])[], columns: number): SparseCode {
  const rows = dense.map((row) => row.flatMap((value, latent) => (value > 0 ? [{ latent, value }] : [])));
  const entries = rows.flat();
  const offsets = [0];
  for (const row of rows) offsets.push(offsets[offsets.length - 1] + row.length);
  return {
    rows: dense.length,
    columns,
    offsets: Int32Array.from(offsets),
    indices: Int32Array.from(entries, ({ latent }) => latent),
    values: Float32Array.from(entries, ({ value }) => value),
  };
}

/** The sums, token by token and edge by edge. */
function plainSums({ edges, isChild, along, general }: Kinship, host: number[][], donor: number[][]) {
  const sums = {
    covered: general.length === 0 ? [] : Array.from(general, () => 0),
    crowded: edges.map(() => 0),
    replaced: edges.map(() => 0),
    accompanied: edges.map(() => 0),
  };
  host.forEach((g, token) => {
    const f = donor[token];
    g.forEach((activation, parent) => {
      if (activation === 0) return;
      const of = Array.from(edges.keys()).filter((e) => edges[e].smaller === parent);
      const firing = of.filter((e) => isChild[e] === 1 && f[edges[e].larger] > 0);
      if (firing.length > 0) sums.covered[parent] += activation ** 2;
      for (const e of of) {
        const square = f[edges[e].larger] ** 2;
        if (square === 0) continue;
        if (general[parent] >= 0 && f[general[parent]] > 0) sums.accompanied[e] += square;
        if (isChild[e] === 0) continue;
        if (firing.some((other) => other !== e)) sums.crowded[e] += square;
        for (const other of firing) sums.replaced[e] += activation * f[edges[other].larger] * along[other];
      }
    });
  });
  return sums;
}

const strength = fc.oneof(fc.constant(0), fc.constantFrom(0.5, 1, 1.5, 2));
const sample = fc.record({
  host: fc.array(fc.array(strength, { minLength: 3, maxLength: 3 }), { minLength: 8, maxLength: 8 }),
  donor: fc.array(fc.array(strength, { minLength: 5, maxLength: 5 }), { minLength: 8, maxLength: 8 }),
  edges: fc.uniqueArray(fc.nat(14), { maxLength: 15 }),
  isChild: fc.array(fc.constantFrom(0, 1), { minLength: 15, maxLength: 15 }),
  general: fc.array(fc.integer({ min: -1, max: 4 }), { minLength: 3, maxLength: 3 }),
});

test("addKinship() sums what a plain loop over tokens, parents and children sums, batch after batch", () => {
  fc.assert(
    fc.property(sample, fc.integer({ min: 0, max: 8 }), ({ host, donor, ...drawn }, cut) => {
      const kinship: Kinship = {
        edges: drawn.edges.map((e) => ({ smaller: e % 3, larger: Math.floor(e / 3), cosine: 0.8 })),
        isChild: Uint8Array.from(drawn.edges, (_, e) => drawn.isChild[e]),
        along: Float64Array.from(drawn.edges, (e) => 0.25 * (e % 4)),
        general: Int32Array.from(drawn.general),
      };
      const add = (from: number, to: number, sums = emptyKinshipSums(kinship)) => {
        addKinship(sums, kinship, codeOf(host.slice(from, to), 3), codeOf(donor.slice(from, to), 5));
        return sums;
      };
      const plain = plainSums(kinship, host, donor);
      for (const sums of [add(cut, 8, add(0, cut)), mergeKinshipSums(add(0, cut), add(cut, 8))]) {
        expect(Array.from(sums.covered)).toEqual(plain.covered);
        expect(Array.from(sums.crowded)).toEqual(plain.crowded);
        expect(Array.from(sums.replaced)).toEqual(plain.replaced);
        expect(Array.from(sums.accompanied)).toEqual(plain.accompanied);
      }
    }),
  );
});

test("mergeKinshipSums() refuses sums of other edges", () => {
  const of = (edges: number) =>
    emptyKinshipSums({
      edges: Array.from({ length: edges }, () => ({ smaller: 0, larger: 0, cosine: 1 })),
      isChild: new Uint8Array(edges),
      along: new Float64Array(edges),
      general: Int32Array.of(-1),
    });
  expect(() => mergeKinshipSums(of(2), of(3))).toThrow(ShapeError);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { denseCode } from "../../test-support/plain-forward.ts";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { type Random, seededRandom } from "../linalg/random.ts";
import { encode } from "../sae/encode.ts";
import { row } from "../tensor/matrix.ts";
import { arrangeExchange, checkSwaps, exchangedCode, movesOf, type Swap } from "./exchange.ts";

const latents = { smaller: 3, larger: 5 };

/** Some latents of both in random groups. */
function randomSwaps(random: Random, { smaller, larger }: typeof latents): Swap[] {
  const steps = Array.from({ length: 4 }, () => ({ remove: [] as number[], insert: [] as number[] }));
  const any = () => steps[Math.floor(random() * steps.length)];
  for (let j = smaller; j-- > 0; ) if (random() < 0.7) any().remove.push(j);
  for (let j = 0; j < larger; j++) if (random() < 0.7) any().insert.push(j);
  return steps;
}

describe("movesOf()", () => {
  test("names what leaves before what enters, swap after swap", () => {
    expect([
      ...movesOf([
        { remove: [], insert: [4] },
        { remove: [1, 0], insert: [2] },
      ]),
    ]).toEqual([
      { swap: 0, of: "larger", latent: 4 },
      { swap: 1, of: "smaller", latent: 1 },
      { swap: 1, of: "smaller", latent: 0 },
      { swap: 1, of: "larger", latent: 2 },
    ]);
  });
});

describe("checkSwaps()", () => {
  test("takes the same number in both SAEs", () => {
    expect(() => checkSwaps([{ remove: [0, 2], insert: [2, 0] }], latents)).not.toThrow();
  });

  test.each<[string, Swap[]]>([
    [
      "Step 2 inserts latent 5 of the larger SAE, whose latents are 0 to 4",
      [
        { remove: [], insert: [1] },
        { remove: [], insert: [5] },
      ],
    ],
    ["Step 1 removes latent -1 of the smaller SAE, whose latents are 0 to 2", [{ remove: [-1], insert: [] }]],
    ["Step 1 removes latent 0.5 of the smaller SAE", [{ remove: [0.5], insert: [] }]],
    [
      "Step 3 removes latent 2 of the smaller SAE, which step 1 removes already; a latent can move once",
      [
        { remove: [2], insert: [] },
        { remove: [], insert: [2] },
        { remove: [1, 2], insert: [] },
      ],
    ],
    [
      "Step 1 inserts latent 3 of the larger SAE, which the same step inserts already",
      [{ remove: [], insert: [3, 3] }],
    ],
  ])("refuses: %s", (message, swaps) => {
    expect(() => checkSwaps(swaps, latents)).toThrow(UnsupportedError);
    expect(() => checkSwaps(swaps, latents)).toThrow(message);
  });
});

describe("arrangeExchange()", () => {
  test("gives every latent that moves one position, with its direction", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = seededRandom(seed);
        const [smaller, larger] = [
          randomSae(random, 4, latents.smaller),
          randomSae(random, 4, latents.larger),
        ];
        const swaps = randomSwaps(random, latents);
        const exchange = arrangeExchange(smaller, larger, swaps);
        const moves = [...movesOf(swaps)];
        const positions = { smaller: exchange.positionOfSmaller, larger: exchange.positionOfLarger };
        expect(exchange.swap).toHaveLength(moves.length);
        moves.forEach(({ swap, of, latent }, position) => {
          const { decoder } = of === "smaller" ? smaller : larger;
          expect(positions[of][latent]).toBe(position);
          expect(exchange.swap[position]).toBe(swap);
          expect(row(exchange.directions, position)).toEqual(row(decoder, latent));
        });
        const staying = [...positions.smaller, ...positions.larger].filter((position) => position < 0);
        expect(staying).toHaveLength(latents.smaller + latents.larger - moves.length);
        expect(exchange.normsSquared).toEqual(rowNormsSquared(exchange.directions));
      }),
    );
  });

  test("refuses SAEs of different width and swaps that move a latent twice", () => {
    const random = seededRandom(1);
    const [narrow, wide] = [randomSae(random, 4, 3), randomSae(random, 5, 3)];
    expect(() => arrangeExchange(narrow, wide, [])).toThrow(ShapeError);
    expect(() => arrangeExchange(wide, wide, [{ remove: [1, 1], insert: [] }])).toThrow(UnsupportedError);
  });
});

describe("exchangedCode()", () => {
  test("holds for every position what its latent writes, negative where it leaves", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seededRandom(seed);
        const [smaller, larger] = [
          randomSae(random, 4, latents.smaller),
          randomSae(random, 4, latents.larger),
        ];
        const x = randomMatrix(random, 6, 4);
        const [host, donor] = await Promise.all(
          [smaller, larger].map(async (sae) => (await encode(sae, x, kernels)).contributions),
        );
        const swaps = randomSwaps(random, latents);
        const code = exchangedCode(arrangeExchange(smaller, larger, swaps), host, donor);
        const [dense, ofHost, ofDonor] = [code, host, donor].map(denseCode);
        const moves = [...movesOf(swaps)];
        dense.forEach((values, i) => {
          // Added to zero, for which −0 is no other number.
          const expected = moves.map(({ of, latent }) =>
            of === "smaller" ? 0 - ofHost[i][latent] : ofDonor[i][latent],
          );
          expect(values).toEqual(expected);
          const positions = [...code.indices.subarray(code.offsets[i], code.offsets[i + 1])];
          expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b));
        });
        expect(code.columns).toBe(moves.length);
        expect(code.indices).toHaveLength(code.offsets[x.rows]);
        expect(code.values).toHaveLength(code.offsets[x.rows]);
      }),
    );
  });

  test("refuses codes of other rows or other SAEs", async () => {
    const random = seededRandom(2);
    const [smaller, larger] = [randomSae(random, 4, 3), randomSae(random, 4, 5)];
    const codeOf = async (sae: typeof smaller, rows: number) =>
      (await encode(sae, randomMatrix(random, rows, 4), kernels)).contributions;
    const exchange = arrangeExchange(smaller, larger, []);
    const [host, donor, shorter] = [
      await codeOf(smaller, 2),
      await codeOf(larger, 2),
      await codeOf(larger, 1),
    ];
    expect(() => exchangedCode(exchange, host, shorter)).toThrow(ShapeError);
    expect(() => exchangedCode(exchange, donor, host)).toThrow(ShapeError);
    expect(exchangedCode(exchange, host, donor).indices).toHaveLength(0);
  });
});

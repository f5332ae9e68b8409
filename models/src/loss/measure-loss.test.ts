import {
  DataError,
  referenceKernels as kernels,
  type Matrix,
  type Sae,
  ShapeError,
  seededRandom,
  UnsupportedError,
  zeros,
} from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { plainForward } from "../../../core/test-support/plain-forward.ts";
import { randomSae } from "../../../core/test-support/random-saes.ts";
import { linearModel, linearWeights } from "../../test-support/linear-model.ts";
import { drawnWindows, type PlainDocument, plainLosses, plainTotal } from "../../test-support/plain-loss.ts";
import { lossReport } from "./loss-report.ts";
import { mergeLossSums } from "./loss-sums.ts";
import { type LossVariant, meanAblation, saeVariant, zeroAblation } from "./loss-variants.ts";
import { meanActivation } from "./mean-activation.ts";
import { measureLoss } from "./measure-loss.ts";

const d = 4;
const weights = linearWeights(seededRandom(1), { d });
const processing = { centred: false };
const batchTokens = 20;
const packings = [
  ["documents of their own", false],
  ["packed windows", true],
] as const;

const measure = (
  windows: Parameters<typeof measureLoss>[2],
  variants: readonly LossVariant[],
  options: Partial<Parameters<typeof measureLoss>[4]> = {},
) => {
  const model = linearModel(weights);
  return measureLoss(model, model.hook, windows, variants, { processing, batchTokens, ...options });
};

const windowsOf = (packed: boolean) => drawnWindows(seededRandom(2), { packed });

/** One latent per direction of each axis: what it writes is what it read. */
function identitySae(): Sae {
  const decoder = zeros(2 * d, d);
  for (let c = 0; c < d; c++) {
    decoder.values[c * d + c] = 1;
    decoder.values[(d + c) * d + c] = -1;
  }
  return {
    ...randomSae(seededRandom(1), d, 2 * d),
    encoder: decoder,
    decoder,
    encoderBias: new Float32Array(2 * d),
    decoderBias: new Float32Array(d),
    inputBias: new Float32Array(d),
  };
}

/** As {@link identitySae}, without anything written. */
const silentSae = (): Sae => ({ ...identitySae(), decoder: zeros(2 * d, d) });

function forwardOf(sae: Sae) {
  return (h: readonly number[]) =>
    plainForward(sae, { rows: 1, columns: d, values: Float32Array.from(h) })[0].reconstruction;
}

function meanOf(windows: ReturnType<typeof drawnWindows>): number[] {
  const included = windows.flatMap(({ tokenIds, excluded }) =>
    [...tokenIds].filter((_, t) => excluded[t] === 0),
  );
  return Array.from(
    { length: d },
    (_, c) => included.reduce((sum, token) => sum + weights.embedding[token][c], 0) / included.length,
  );
}

const centred = (h: readonly number[]) => {
  const mean = h.reduce((sum, value) => sum + value) / h.length;
  return { mean, values: h.map((value) => value - mean) };
};

describe("measureLoss()", () => {
  test.each(packings)("agrees with a plain computation by document, %s", async (_, packed) => {
    const windows = windowsOf(packed);
    const sae = randomSae(seededRandom(3), d, 6);
    const mean = meanOf(windows);
    const variants = [zeroAblation(), meanAblation(Float32Array.from(mean)), saeVariant("sae", sae, kernels)];
    const sums = await measure(windows, variants);
    const expected = [() => mean.map(() => 0), () => mean, forwardOf(sae)].map((replace) =>
      plainLosses(weights, windows, replace),
    );
    const documents = [...expected[0].keys()].sort((a, b) => a - b);
    const column = (of: Map<number, PlainDocument>, name: keyof PlainDocument) =>
      documents.map((document) => expect.closeTo(of.get(document)?.[name] ?? Number.NaN, 4));
    expect([...sums.documentIds]).toEqual(documents);
    expect([...sums.predictions]).toEqual(column(expected[0], "predictions"));
    expect([...sums.original]).toEqual(column(expected[0], "original"));
    for (const [v, losses] of expected.entries()) {
      expect([...sums.crossEntropy[v]]).toEqual(column(losses, "crossEntropy"));
      expect([...sums.divergence[v]]).toEqual(column(losses, "divergence"));
    }
    const tokens = windows.flatMap(({ tokenIds }) => [...tokenIds]);
    expect(sums.tokens).toBe(tokens.length);
    expect(sums.excluded).toBe(tokens.filter((token) => token === 0).length);
  });

  test.each(packings)("finds what is recovered as the plain losses say, %s", async (_, packed) => {
    const windows = windowsOf(packed);
    const mean = meanOf(windows);
    const half = (h: readonly number[]) => h.map((value) => value / 2);
    const halved: LossVariant = {
      name: "half",
      replace: async ({ rows, columns, values }) => ({ rows, columns, values: values.map((x) => x / 2) }),
    };
    const sums = await measure(windows, [zeroAblation(), meanAblation(Float32Array.from(mean)), halved]);
    const [zero, average, losses] = [() => mean.map(() => 0), () => mean, half].map((replace) =>
      plainLosses(weights, windows, replace),
    );
    const ce = (documents: typeof zero) => plainTotal(documents, "crossEntropy");
    const original = plainTotal(zero, "original");
    const { variants } = lossReport(sums);
    expect(variants[2].recoveredVsZero?.value).toBeCloseTo(
      (ce(losses) - ce(zero)) / (original - ce(zero)),
      5,
    );
    expect(variants[2].recoveredVsMean?.value).toBeCloseTo(
      (ce(losses) - ce(average)) / (original - ce(average)),
      5,
    );
    const n = plainTotal(losses, "predictions");
    const delta = (ce(losses) - original) / n;
    const squares = [...losses.values()].reduce(
      (sum, document) =>
        sum + (document.crossEntropy - document.original - delta * document.predictions) ** 2,
      0,
    );
    expect(variants[2].degradation?.value).toBeCloseTo(delta, 5);
    expect(variants[2].degradation?.standardError).toBeCloseTo(
      Math.sqrt((squares * losses.size) / (losses.size - 1)) / n,
      5,
    );
  });

  test("recovers everything with an SAE that writes what it reads, and nothing with one that writes nothing", async () => {
    const variants = [
      zeroAblation(),
      saeVariant("identity", identitySae(), kernels),
      saeVariant("silent", silentSae(), kernels),
    ];
    const sums = await measure(windowsOf(false), variants);
    expect(sums.crossEntropy[1]).toEqual(sums.original);
    expect(sums.crossEntropy[2]).toEqual(sums.crossEntropy[0]);
    expect(sums.divergence[2]).toEqual(sums.divergence[0]);
    const [, identity, silent] = lossReport(sums).variants;
    expect(identity.recoveredVsZero).toEqual({ value: 1, standardError: 0 });
    expect(identity.degradation).toEqual({ value: 0, standardError: 0 });
    expect(identity.divergence).toEqual({ value: 0, standardError: 0 });
    expect(silent.recoveredVsZero).toEqual({ value: 0, standardError: 0 });
  });

  test("leaves excluded tokens and padding as the model has them", async () => {
    const model = linearModel(weights);
    await measureLoss(model, model.hook, windowsOf(true), [zeroAblation()], { processing, batchTokens });
    let kept = 0;
    for (const { batch, replacements } of model.record.batches)
      for (let i = 0; i < batch.rows; i++)
        for (let t = 0; t < batch.length; t++) {
          const at = i * batch.length + t;
          const values = [...replacements[0].values.subarray(at * d, (at + 1) * d)];
          const token = batch.tokenIds[at];
          if (t >= batch.lengths[i]) expect(values).toEqual(values.map(() => Number.NaN));
          else expect(values).toEqual(token === 0 ? weights.embedding[0] : values.map(() => 0));
          kept += t < batch.lengths[i] && token === 0 ? 1 : 0;
        }
    expect(kept).toBeGreaterThan(3);
  });

  test("shows variants centred activations, and puts the mean back", async () => {
    const windows = windowsOf(false);
    const seen: Matrix[] = [];
    const doubled: LossVariant = {
      name: "double",
      async replace({ rows, columns, values }) {
        seen.push({ rows, columns, values: values.slice() });
        return { rows, columns, values: values.map((value) => 2 * value) };
      },
    };
    const sums = await measure(windows, [doubled, zeroAblation()], { processing: { centred: true } });
    for (const { rows, columns, values } of seen)
      for (let i = 0; i < rows; i++)
        expect(
          values.subarray(i * columns, (i + 1) * columns).reduce((sum, value) => sum + value),
        ).toBeCloseTo(0, 5);
    const twice = (h: readonly number[]) => {
      const { mean, values } = centred(h);
      return values.map((value) => 2 * value + mean);
    };
    const onlyMean = (h: readonly number[]) => h.map(() => centred(h).mean);
    for (const [v, replace] of [twice, onlyMean].entries()) {
      const expected = plainTotal(plainLosses(weights, windows, replace), "crossEntropy");
      expect(sums.crossEntropy[v].reduce((total, loss) => total + loss)).toBeCloseTo(expected, 3);
    }
  });

  test.each(packings)("gives the same sums of two halves as of the whole, %s", async (_, packed) => {
    const windows = windowsOf(packed);
    const variants = [zeroAblation(), saeVariant("sae", randomSae(seededRandom(3), d, 6), kernels)];
    // Documents are cut: by the end of the first half, and by the windows in each.
    const cut = windows.findIndex(
      ({ documentIds }, w) => w > 3 && windows[w + 1].documentIds[0] === documentIds[documentIds.length - 1],
    );
    const halves = [windows.slice(0, cut + 1), windows.slice(cut + 1)];
    const [first, second] = await Promise.all(halves.map((half) => measure(half, variants)));
    const whole = await measure(windows, variants, { batchTokens: 1000 });
    const merged = mergeLossSums(first, second);
    const near = (column: Float64Array) => Array.from(column, (value) => expect.closeTo(value, 9));
    expect(merged.documentIds).toEqual(whole.documentIds);
    expect(merged.predictions).toEqual(whole.predictions);
    expect([merged.tokens, merged.excluded]).toEqual([whole.tokens, whole.excluded]);
    expect([...merged.original]).toEqual(near(whole.original));
    merged.crossEntropy.forEach((column, v) => {
      expect([...column]).toEqual(near(whole.crossEntropy[v]));
      expect([...merged.divergence[v]]).toEqual(near(whole.divergence[v]));
    });
    expect(first.documentIds.length + second.documentIds.length).toBeGreaterThan(whole.documentIds.length);
  });

  test("reads windows as they come, and reports the tokens done", async () => {
    const windows = windowsOf(false);
    async function* stream() {
      yield* windows;
    }
    const done: number[] = [];
    const sums = await measure(stream(), [zeroAblation()], { onTokens: (tokens) => done.push(tokens) });
    expect(sums).toEqual(await measure(windows, [zeroAblation()]));
    expect(done.length).toBeGreaterThan(2);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(done.at(-1)).toBe(sums.tokens);
  });

  test("holds each batch within its tokens", async () => {
    const model = linearModel(weights);
    await measureLoss(model, model.hook, windowsOf(false), [], { processing, batchTokens });
    expect(model.record.batches.length).toBeGreaterThan(2);
    for (const { batch } of model.record.batches) expect(batch.rows * batch.length).toBeLessThanOrEqual(20);
  });

  test("asks no variant about windows of nothing but excluded tokens", async () => {
    const bos = {
      tokenIds: new Int32Array(2),
      documentIds: new Int32Array(2),
      excluded: Uint8Array.of(1, 1),
    };
    const never: LossVariant = { name: "never", replace: () => Promise.reject(new Error("asked")) };
    const sums = await measure([bos], [never]);
    expect(sums.crossEntropy[0]).toEqual(sums.original);
    expect(sums.excluded).toBe(2);
  });

  test("takes a variant that gives back what it was given", async () => {
    const same: LossVariant = { name: "same", replace: async (activations) => activations };
    const sums = await measure(windowsOf(true), [same, zeroAblation(), { ...same, name: "again" }], {
      processing: { centred: true },
    });
    for (const v of [0, 2])
      sums.crossEntropy[v].forEach((loss, i) => {
        expect(loss).toBeCloseTo(sums.original[i], 4);
      });
  });

  test("closes the splice and its batches, whatever happens", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const stopping: LossVariant = {
      name: "stopping",
      replace: async (activations) => {
        controller.abort(reason);
        return activations;
      },
    };
    for (const [variants, error] of [
      [[], undefined],
      [[stopping, zeroAblation()], reason],
    ] as const) {
      const model = linearModel(weights);
      const { signal } = controller;
      const run = measureLoss(model, model.hook, windowsOf(false), variants, {
        processing,
        batchTokens,
        signal,
      });
      if (error === undefined) await run;
      else await expect(run).rejects.toBe(error);
      expect(model.record.batches.length).toBeGreaterThan(0);
      expect(model.record.open).toBe(0);
    }
  });

  test("refuses two variants of one name, and two of one ablation", async () => {
    await expect(measure([], [zeroAblation(), zeroAblation()])).rejects.toThrow(UnsupportedError);
    await expect(measure([], [zeroAblation("a"), zeroAblation("b")])).rejects.toThrow(UnsupportedError);
  });

  test("refuses a replacement of another shape, and a mean of another width", async () => {
    const wide: LossVariant = { name: "wide", replace: async ({ rows }) => zeros(rows, d + 1) };
    await expect(measure(windowsOf(false), [wide])).rejects.toThrow(/wide.*shape/);
    const mean = meanAblation(new Float32Array(3));
    await expect(measure(windowsOf(false), [mean])).rejects.toThrow(ShapeError);
  });

  test("refuses a model whose own activations or losses are not finite", async () => {
    const embedding = weights.embedding.map((row) => [...row]);
    embedding[3][1] = Number.POSITIVE_INFINITY;
    const model = linearModel({ ...weights, embedding });
    const windows = windowsOf(false);
    const run = () => measureLoss(model, model.hook, windows, [], { processing, batchTokens });
    await expect(run()).rejects.toThrow(DataError);
    await expect(meanActivation(model, model.hook, windows, { processing })).rejects.toThrow(/document \d+/);
  });
});

describe("meanActivation()", () => {
  test.each(packings)("is the mean over tokens that are not excluded, %s", async (_, packed) => {
    const windows = windowsOf(packed);
    const model = linearModel(weights);
    const mean = await meanActivation(model, model.hook, windows, { processing, batchTokens });
    expect([...mean]).toEqual(meanOf(windows).map((value) => expect.closeTo(value, 6)));
    expect(model.record.batches).toEqual([]);
  });

  test("is that of the processed activations", async () => {
    const windows = windowsOf(false);
    const model = linearModel(weights);
    const mean = await meanActivation(model, model.hook, windows, { processing: { centred: true } });
    expect([...mean]).toEqual(centred(meanOf(windows)).values.map((value) => expect.closeTo(value, 6)));
  });

  test("wants a token that is not excluded", async () => {
    const model = linearModel(weights);
    await expect(meanActivation(model, model.hook, [], { processing })).rejects.toThrow(DataError);
  });
});

test("meanAblation() loses nothing where all activations are alike", async () => {
  const alike = linearModel({ ...weights, embedding: weights.embedding.map(() => weights.embedding[0]) });
  const mean = await meanActivation(alike, alike.hook, windowsOf(true), { processing });
  const sums = await measureLoss(alike, alike.hook, windowsOf(true), [meanAblation(mean)], {
    processing,
  });
  expect(lossReport(sums).variants[0].degradation?.value).toBeCloseTo(0, 6);
});

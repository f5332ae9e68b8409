import { describe, expect, test } from "vitest";
import { decidedRows } from "../../test-support/plain-swap.ts";
import { whole } from "../../test-support/whole.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { bytesSource } from "../formats/bytes-source.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { normal, seededRandom } from "../linalg/random.ts";
import { measureReconstruction } from "../metrics/measure-reconstruction.ts";
import { encode, residual } from "../sae/encode.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import type { Architecture } from "./architecture.ts";
import { decodeTraining, encodeTraining } from "./checkpoint.ts";
import { defaultTrainingOptions } from "./default-options.ts";
import { DivergenceError } from "./divergence-error.ts";
import { startTraining, trainSteps } from "./train.ts";
import { trainedSae } from "./trained-sae.ts";
import type { TrainingOptions } from "./training-options.ts";
import type { StepReport, TrainingRun } from "./training-run.ts";

const d = 6;
const batchRows = 32;
const data = { batchRows, windowRows: 96, seed: 3 };
const architectures: Architecture[] = [
  { kind: "topk", k: 2 },
  { kind: "batchtopk", k: 2 },
  { kind: "matryoshka", k: 2, prefixes: [4, 12] },
  { kind: "relu", l1: 0.02, l1WarmUpSteps: 5, targetL0: 2 },
  { kind: "jumprelu", targetL0: 2, sparsityWeight: 0.1, bandwidth: 0.1, sparsityWarmUpSteps: 5 },
  { kind: "gated", l1: 0.02, l1WarmUpSteps: 5 },
];

const optionsFor = (architecture: Architecture, given: Partial<TrainingOptions> = {}) =>
  defaultTrainingOptions(
    architecture,
    { d, latents: 12, steps: 20, batchRows },
    { rate: 0.01, deadAfterTokens: 100, ...given },
  );

/** Sums of one or two of nine hidden directions, away from the origin, on a scale of their own. */
function sampleOf(rows: number, seed = 1): Matrix {
  const random = seededRandom(seed);
  const hidden = zeros(9, d);
  for (let at = 0; at < hidden.values.length; at++) hidden.values[at] = normal(random);
  const x = zeros(rows, d);
  for (let i = 0; i < rows; i++) {
    const [a, b] = [row(hidden, Math.floor(9 * random())), row(hidden, Math.floor(9 * random()))];
    const [f, g] = [3 + random(), random() < 0.5 ? 0 : 2 + random()];
    row(x, i).set(a.map((value, k) => f * value + g * b[k] + 1 + 0.05 * normal(random)));
  }
  return x;
}

const source = activationsInMemory(sampleOf(300));

async function trainFor(run: TrainingRun, steps: number): Promise<StepReport[][]> {
  const reports: StepReport[][] = [];
  if (steps > 0)
    for await (const report of trainSteps(run, source, kernels)) {
      reports.push([...report]);
      if (reports.length === steps) break;
    }
  return reports;
}

const bytesOf = (run: TrainingRun) => whole(encodeTraining(run));

describe.each(architectures)("training $kind", (architecture) => {
  test("lowers the error, and gives an SAE that does as the last batch did", async () => {
    const options = optionsFor(architecture, { steps: 120, decaySteps: 30 });
    const run = await startTraining(source, [options], data);
    const reports = (await trainFor(run, Number.POSITIVE_INFINITY)).map(([report]) => report);
    expect(reports.map(({ step }) => step)).toEqual(Array.from({ length: 120 }, (_, i) => i + 1));
    const sae = trainedSae(run, 0);
    const { metrics } = await measureReconstruction(sae, source, kernels);
    expect(metrics.varianceExplained).toBeGreaterThan(0.6);
    const late = reports.slice(-10);
    const mean = (of: (report: StepReport) => number) => late.reduce((sum, r) => sum + of(r), 0) / 10;
    expect(metrics.mse / mean(({ mse }) => mse)).toBeGreaterThan(0.8);
    expect(metrics.mse / mean(({ mse }) => mse)).toBeLessThan(1.25);
    expect(metrics.l0 / mean(({ l0 }) => l0)).toBeGreaterThan(0.85);
    expect(metrics.l0 / mean(({ l0 }) => l0)).toBeLessThan(1.15);
    for (let j = 0; j < 12; j++) expect(Math.hypot(...row(sae.decoder, j))).toBeCloseTo(1, 5);
  });

  test("gives each of several SAEs the bits that it has alone", async () => {
    const family = [
      optionsFor(architecture),
      optionsFor(architecture, { seed: 5 }),
      optionsFor(architecture, {
        latents: 16,
        ...(architecture.kind === "matryoshka" && { architecture: { ...architecture, prefixes: [3, 16] } }),
      }),
    ];
    const together = await startTraining(source, family, data);
    const reports = await trainFor(together, Number.POSITIVE_INFINITY);
    for (const [i, options] of family.entries()) {
      const alone = await startTraining(source, [options], data);
      const single = await trainFor(alone, Number.POSITIVE_INFINITY);
      expect(single.map(([report]) => report)).toEqual(reports.map((report) => report[i]));
      expect(alone.trainees[0]).toEqual(together.trainees[i]);
    }
    expect(together.trainees[0].state).not.toEqual(together.trainees[1].state);
  });

  test.each([1, 17])("goes on from a checkpoint after %i steps bit for bit", async (steps) => {
    const options = [optionsFor(architecture), optionsFor(architecture, { seed: 8 })];
    const straight = await startTraining(source, options, data);
    await trainFor(straight, Number.POSITIVE_INFINITY);

    const first = await startTraining(source, options, data);
    await trainFor(first, steps);
    const stored = bytesSource("checkpoint", await bytesOf(first));
    const resumed = await decodeTraining(stored, { options, data: first.data, sample: {} }, d);
    await trainFor(resumed, Number.POSITIVE_INFINITY);
    expect(await bytesOf(resumed)).toEqual(await bytesOf(straight));
  });
});

describe("trainedSae()", () => {
  test.each(architectures.filter(({ kind }) => kind !== "batchtopk" && kind !== "matryoshka"))(
    "of $kind reconstructs what training reconstructed",
    async (architecture) => {
      const run = await startTraining(source, [optionsFor(architecture)], data);
      await trainFor(run, 15);
      const before = trainedSae(run, 0);
      const [[report]] = [...(await trainFor(run, 1))];
      // The batch of that step is not at hand, but all rows are, and the first pass has taken each once.
      const { metrics } = await measureReconstruction(before, source, kernels);
      expect(report.mse / metrics.mse).toBeGreaterThan(0.5);
      expect(report.mse / metrics.mse).toBeLessThan(2);
    },
  );

  test("takes the input scale out: the same codes for x as training had for the scaled x, in units of x", async () => {
    for (const architecture of architectures) {
      const run = await startTraining(source, [optionsFor(architecture)], data);
      await trainFor(run, 10);
      const sae = trainedSae(run, 0);
      const inScaledUnits = trainedSae({ ...run, inputScale: 1 }, 0);
      const x = decidedRows(sampleOf(40, 9), [sae]);
      const scaled = { ...x, values: x.values.map((value) => value * run.inputScale) };
      const [ofX, ofScaled] = [await encode(sae, x, kernels), await encode(inScaledUnits, scaled, kernels)];
      expect(ofX.code.indices).toEqual(ofScaled.code.indices);
      ofX.code.values.forEach((value, entry) => {
        expect(value * run.inputScale).toBeCloseTo(ofScaled.code.values[entry], 4);
      });
      const [left, leftScaled] = [
        await residual(sae, x, ofX, kernels),
        await residual(inScaledUnits, scaled, ofScaled, kernels),
      ];
      left.values.forEach((value, at) => {
        expect(value * run.inputScale).toBeCloseTo(leftScaled.values[at], 4);
      });
    }
  });

  test("refuses a BatchTopK SAE that has no threshold yet", async () => {
    const run = await startTraining(source, [optionsFor({ kind: "batchtopk", k: 2 })], data);
    expect(() => trainedSae(run, 0)).toThrow("after 0 steps: no latent has been active yet");
  });
});

describe("trainSteps()", () => {
  test("stops with the step and the SAE when the loss is no longer finite, the weights as they were", async () => {
    const run = await startTraining(source, [optionsFor({ kind: "topk", k: 2 })], data);
    await trainFor(run, 3);
    run.trainees[0].state.parameters.decoder.weights.values[4] = Number.NaN;
    const { encoder } = run.trainees[0].state.parameters;
    const before = encoder.weights.values.slice();
    await expect(trainFor(run, 1)).rejects.toThrow(
      new DivergenceError(
        "Training of the SAE with 12 latents (seed 0) diverged at step 4: its loss is NaN; a lower learning rate or a longer warm-up may help",
        { step: 4 },
      ),
    );
    expect(encoder.weights.values).toEqual(before);
    expect(run.trainees[0].state.step).toBe(3);
  });

  test("leaves frozen parameters as they are", async () => {
    const options = optionsFor({ kind: "batchtopk", k: 2 }, { frozen: ["decoder", "decoderBias"] });
    const run = await startTraining(source, [options], data);
    const { decoder, decoderBias, encoder } = run.trainees[0].state.parameters;
    const first = [decoder, decoderBias, encoder].map(({ weights }) => weights.values.slice());
    await trainFor(run, 5);
    expect(decoder.weights.values).toEqual(first[0]);
    expect(decoderBias.weights.values).toEqual(first[1]);
    expect(encoder.weights.values).not.toEqual(first[2]);
  });

  test("revives dead latents by the auxiliary loss", async () => {
    const architecture = { kind: "topk", k: 1 } as const;
    const given = { steps: 150, deadAfterTokens: 3 * batchRows };
    const shares = await Promise.all(
      [
        { weight: 1 / 2, count: 6 },
        { weight: 0, count: 0 },
      ].map(async (auxiliary) => {
        const run = await startTraining(source, [optionsFor(architecture, { ...given, auxiliary })], data);
        // Latents that begin deep in silence.
        run.trainees[0].state.parameters.encoderBias.weights.values.fill(-0.5, 0, 8);
        const reports = await trainFor(run, Number.POSITIVE_INFINITY);
        return reports[149][0].deadShare;
      }),
    );
    expect(shares[0]).toBeLessThan(shares[1]);
  });
});

describe("startTraining()", () => {
  test("refuses a sample smaller than a batch, and options that no SAE can have", async () => {
    const few = activationsInMemory(sampleOf(20), { location: "few" });
    const options = [optionsFor({ kind: "topk", k: 2 })];
    await expect(startTraining(few, options, data)).rejects.toThrow(
      "Cannot train on few: it has 20 rows, fewer than the 32 of one batch",
    );
    await expect(startTraining(source, [...options, { ...options[0], steps: 7 }], data)).rejects.toThrow(
      "Cannot train SAEs for 20 and 7 steps in one pass",
    );
    expect(() => optionsFor({ kind: "topk", k: 12 })).toThrow(
      "Cannot train with k 12, wanted a whole number from 1 to less than the 12 latents",
    );
    expect(() => optionsFor({ kind: "matryoshka", k: 2, prefixes: [4, 4, 12] })).toThrow(
      "prefixes 4, 4, 12, wanted whole numbers of latents that ascend to all 12",
    );
    expect(() => optionsFor({ kind: "topk", k: 2 }, { rate: Number.NaN })).toThrow("rate NaN");
  });
});

describe("decodeTraining()", () => {
  const options = [optionsFor({ kind: "batchtopk", k: 2 })];

  async function stored() {
    const run = await startTraining(source, options, data);
    await trainFor(run, 2);
    return { run, bytes: await whole(encodeTraining(run, { "shard-0": "abc" })) };
  }

  test("names every setting that differs", async () => {
    const { run, bytes } = await stored();
    const wanted = {
      options: [{ ...options[0], rate: 0.5, architecture: { kind: "batchtopk", k: 3 } as const }],
      data: { ...run.data, seed: 4 },
      sample: { "shard-0": "abd" },
    };
    await expect(decodeTraining(bytesSource("checkpoint", bytes), wanted, d)).rejects.toThrow(
      "Cannot go on from checkpoint, it is of another run: options.0.architecture.k was 2, now 3; options.0.rate was 0.01, now 0.5; " +
        'data.seed was 3, now 4; sample.shard-0 was "abc", now "abd"',
    );
  });

  test("refuses another file, and another width", async () => {
    const { run, bytes } = await stored();
    const wanted = { options, data: run.data, sample: { "shard-0": "abc" } };
    await expect(decodeTraining(bytesSource("checkpoint", bytes), wanted, d + 1)).rejects.toThrow(
      "0.encoder.weights has the shape 12 × 6, expected 12 × 7",
    );
    const cut = bytesSource("checkpoint", bytes.slice(0, -8));
    await expect(decodeTraining(cut, wanted, d)).rejects.toThrow();
  });
});

test("encodeTraining() refuses to store a run that holds NaN", async () => {
  const run = await startTraining(source, [optionsFor({ kind: "topk", k: 2 })], data);
  run.trainees[0].state.parameters.encoder.moments.second.values[3] = Number.NaN;
  expect(() => encodeTraining(run)).toThrow("after step 0 its encoder holds NaN or infinite values");
});

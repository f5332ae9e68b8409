import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { matrix, openSae, type Sae, seededRandom } from "@saestitch/core";
import { openKernels, openSaeFiles } from "@saestitch/core/node";
import {
  lossReport,
  meanAblation,
  meanActivation,
  measureLoss,
  saeVariant,
  type TokenWindow,
  tokenWindows,
  zeroAblation,
} from "@saestitch/models";
import { openModel, openText, openTokenizer } from "@saestitch/models/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomSae } from "../core/test-support/random-saes.ts";
import { documentedFields } from "./cli-documented-fields.ts";
import { type Finished, start, writeSae } from "./cli-world.ts";

const model = fileURLToPath(new URL("../fixtures/models/gpt2-optimum", import.meta.url));
const hook = "blocks.0.hook_resid_post";
const d = 32;
const context = 16;
const inserted = [3, 17, 40];

let folder: string;
/** Paths of SAEs by their names. */
const sae = { smaller: "", larger: "", identity: "", merged: "" };
let text: string;
let reading: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-losses-"));
  const random = seededRandom(3);
  const [smaller, larger] = [randomSae(random, d, 24), { ...randomSae(random, d, 60) }];
  // Latents of one can stand beside the other's in one file only where both take off the same bias.
  const sameInput = { ...larger, inputBias: smaller.inputBias };
  const saes = {
    smaller,
    larger: sameInput,
    identity: identitySae(),
    merged: withLatents(smaller, sameInput),
  };
  for (const [name, made] of Object.entries(saes)) {
    const path = join(folder, name);
    // In this layout the bias taken off the input is the one added to the output.
    await writeSae(path, { ...made, decoderBias: made.inputBias });
    sae[name as keyof typeof sae] = path;
  }
  text = join(folder, "text.txt");
  const words = "The cat sat on the mat and saw the other cat in a little house".split(" ");
  const paragraph = (length: number) =>
    Array.from({ length }, () => words[Math.floor(random() * words.length)]).join(" ");
  await writeFile(text, [12, 3, 30, 7, 20, 9].map(paragraph).join("\n\n"));
  reading = ["--model", model, "--text", text, "--context", `${context}`, "--bos", "yes", "--centre", "no"];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Every activation as it is: x = relu(x) − relu(−x). */
function identitySae(): Sae {
  const both = matrix(2 * d, d, new Float32Array(2 * d * d));
  for (let c = 0; c < d; c++) {
    both.values[c * d + c] = 1;
    both.values[(d + c) * d + c] = -1;
  }
  return {
    ...randomSae(seededRandom(1), d, 1),
    encoder: both,
    decoder: both,
    encoderBias: new Float32Array(2 * d),
    decoderBias: new Float32Array(d),
    inputBias: new Float32Array(d),
  };
}

/** The host with the latents `inserted` of the donor as latents of its own. */
function withLatents(host: Sae, donor: Sae): Sae {
  const rows = (of: "encoder" | "decoder") => [
    ...host[of].values,
    ...inserted.flatMap((latent) => [...donor[of].values.subarray(latent * d, (latent + 1) * d)]),
  ];
  const m = host.encoder.rows + inserted.length;
  return {
    ...host,
    encoder: matrix(m, d, Float32Array.from(rows("encoder"))),
    decoder: matrix(m, d, Float32Array.from(rows("decoder"))),
    encoderBias: Float32Array.from([
      ...host.encoderBias,
      ...inserted.map((latent) => donor.encoderBias[latent]),
    ]),
  };
}

/** Run the program with its cache in the folder of this test. */
function saestitch(...words: string[]): Promise<Finished> {
  return start(words, { SAESTITCH_CACHE: join(folder, "cache") }).finished;
}

async function json(...words: string[]) {
  const { code, stdout, stderr } = await saestitch(...words, "--json");
  expect([code, stderr.includes("saestitch ")]).toEqual([0, false]);
  return JSON.parse(stdout);
}

const documented = async (heading: string, page = "evaluate-output.md") =>
  (await documentedFields(heading, "", page)).sort();
const fields = (value: object) => Object.keys(value).sort();

const narrow = (stdout: string) =>
  stdout
    .replaceAll(folder, "")
    .replaceAll(model, "")
    .replace(/\p{Mn}/gu, "")
    .split("\n")
    .filter((line) => line.length > 80);

/** The losses of SAEs on the first `limit` tokens of the text, measured without the program. */
async function direct(paths: readonly string[], limit?: number) {
  const opened = await openModel(model);
  const kernels = await openKernels({ threads: 1 });
  try {
    const place = await opened.model.findHook(hook);
    const tokenizer = await openTokenizer(opened.companion, model);
    const windows: TokenWindow[] = [];
    const source = await openText(text);
    const options = { context, bos: true, arrangement: "documents" as const, limit };
    for await (const window of tokenWindows(source.documents(), tokenizer, options)) windows.push(window);
    await source.close();
    const variants = [
      zeroAblation(),
      meanAblation(await meanActivation(opened.model, place, windows)),
      ...(await Promise.all(
        paths.map(async (path) => {
          const files = await openSaeFiles(path);
          return saeVariant(path, await openSae(files).finally(() => files.close()), kernels);
        }),
      )),
    ];
    return lossReport(await measureLoss(opened.model, place, windows, variants));
  } finally {
    await kernels.close();
    await opened.model.close();
  }
}

/** The figures of a document beside those of a report, number by number. */
function expectFigures(found: Record<string, unknown>, expected: object): void {
  const { name: _, ablation: __, ...figures } = expected as Record<string, unknown>;
  expect(fields(found)).toEqual(fields(figures));
  for (const [key, value] of Object.entries(figures)) {
    const [a, b] = [found[key], value].map((figure) =>
      typeof figure === "number" ? figure : (figure as { value: number }).value,
    );
    expect(a, key).toBeCloseTo(b, 5);
  }
}

describe("evaluate with a model", () => {
  test("measures the losses that measureLoss() does, and documents every field", async () => {
    const saes = [sae.smaller, sae.larger, sae.identity];
    const document = await json("evaluate", ...saes, ...reading);
    expect(fields(document)).toEqual(await documented("`saestitch evaluate … --json`"));
    const { loss, tokens, excluded } = document;
    expect(fields(loss)).toEqual(await documented("Losses"));
    const report = await direct(saes);
    expect([loss.predictions, loss.tokens, loss.excluded, loss.documents]).toEqual([
      report.predictions,
      report.tokens,
      report.excluded,
      report.documents,
    ]);
    expect([loss.excluded, loss.tokens]).toEqual([excluded.rows, tokens + excluded.rows]);
    expect([loss.hook, loss.text, loss.centred, loss.insertion]).toEqual([hook, text, false, null]);
    expect(loss.original.crossEntropy).toBeCloseTo(report.original.crossEntropy!, 6);
    const rows = [loss.zero, loss.mean, ...loss.saes];
    expect(rows).toHaveLength(5);
    for (const [i, row] of rows.entries()) expectFigures(row, report.variants[i]);
    expect(fields(loss.saes[0])).toEqual(await documented("Figures of a loss"));
  });

  test("an SAE that gives back what it reads loses nothing, one that does not loses something", async () => {
    const { loss, saes } = await json("evaluate", sae.identity, sae.smaller, ...reading);
    const [identity, smaller] = loss.saes;
    expect(saes[0].mse).toBeLessThan(1e-12);
    expect(identity.recoveredVsZero.value).toBeCloseTo(1, 4);
    expect(identity.recoveredVsMean.value).toBeCloseTo(1, 4);
    expect(Math.abs(identity.degradation.value)).toBeLessThan(1e-6);
    expect(Math.abs(identity.divergence.value)).toBeLessThan(1e-6);
    expect(smaller.divergence.value).toBeGreaterThan(1e-4);
    expect([loss.zero.recoveredVsZero.value, loss.mean.recoveredVsMean.value]).toEqual([0, 0]);
  });

  test("--loss-tokens takes the first tokens, the means of the sample staying", async () => {
    const { loss, tokens } = await json("evaluate", sae.smaller, ...reading, "--loss-tokens", "50");
    const report = await direct([sae.smaller], 50);
    expect(loss.tokens).toBe(50);
    expect(tokens).toBeGreaterThan(50);
    expect(loss.predictions).toBe(report.predictions);
    expect(loss.saes[0].crossEntropy).toBeCloseTo(report.variants[2].crossEntropy!, 5);
  });

  test("tokens left out of the reconstruction keep the model's own activation", async () => {
    const words = ["evaluate", sae.smaller, ...reading];
    const { model: vocabulary } = JSON.parse(await readFile(join(model, "tokenizer.json"), "utf8"));
    const frequent = `${vocabulary.vocab.Ġthe},${vocabulary.vocab.Ġa}`;
    const [all, some] = [await json(...words), await json(...words, "--exclude-tokens", frequent)];
    expect(some.excluded.rows).toBeGreaterThan(all.excluded.rows);
    expect(some.loss.excluded).toBe(some.excluded.rows);
    expect(some.loss.predictions).toBe(all.loss.predictions);
    expect(some.loss.saes[0].divergence.value).not.toBe(all.loss.saes[0].divergence.value);
  });

  test("--no-loss and plain activations measure none, and options that would be idle are refused", async () => {
    const { loss, saes } = await json("evaluate", sae.smaller, ...reading, "--no-loss");
    expect(loss).toBeNull();
    expect(saes[0].mse).toBeGreaterThan(0);
    const refused = [
      ["evaluate", sae.smaller, ...reading, "--no-loss", "--loss-tokens", "9"],
      ["evaluate", sae.smaller, "--activations", text, "--loss-tokens", "9"],
      ["evaluate", sae.smaller, ...reading, "--latents", "3"],
      ["evaluate", sae.smaller, ...reading, "--insert-from", sae.larger],
      ["evaluate", sae.smaller, ...reading, "--insert-from", sae.larger, "--latents", "60"],
    ];
    for (const words of refused) {
      const { code, stdout, stderr } = await saestitch(...words);
      expect([code, stdout, stderr]).toEqual([
        2,
        "",
        expect.stringMatching(/--(loss-tokens|latents|insert-from)/),
      ]);
    }
  });

  test("prints both tables in 80 columns, with what the figures mean", async () => {
    const insertion = ["--insert-from", sae.larger, "--latents", inserted.join(",")];
    const { code, stdout } = await saestitch("evaluate", sae.smaller, sae.identity, ...reading, ...insertion);
    expect(code).toBe(0);
    for (const told of [
      "Loss",
      "CE ↓",
      "ΔCE ± SE ↓",
      "KL ↓",
      "in nats per token",
      "predictions counted",
      "host + 3",
    ])
      expect(stdout).toContain(told);
    expect(narrow(stdout)).toEqual([]);
  });
});

describe("evaluate --insert-from", () => {
  test("is the SAE that has these latents as its own, in error, L0 and loss", async () => {
    const words = ["--insert-from", sae.larger, "--latents", inserted.join(",")];
    const { saes, insertion, loss } = await json("evaluate", sae.smaller, sae.merged, ...words, ...reading);
    expect(fields(insertion)).toEqual(await documented("An insertion"));
    const [host, merged] = saes;
    expect(saes).toHaveLength(2);
    expect(insertion.latents).toEqual(inserted);
    expect(insertion.mse / merged.mse).toBeCloseTo(1, 5);
    expect(insertion.l0).toBeCloseTo(merged.l0, 9);
    expect(insertion.varianceExplained).toBeCloseTo(merged.varianceExplained, 5);
    expect(insertion.deltaMse / (merged.mse - host.mse)).toBeCloseTo(1, 4);
    const { versusHost, ...figures } = loss.insertion;
    expectFigures(figures, loss.saes[1]);
    expect(versusHost.value).toBeCloseTo(loss.saes[1].crossEntropy - loss.saes[0].crossEntropy, 6);
    expect(versusHost.standardError).toBeGreaterThan(0);
  });

  test("gives a single latent the ΔMSE that label gives it", async () => {
    const { latents } = await json("label", sae.smaller, sae.larger, ...reading);
    for (const latent of [2, 31]) {
      const words = ["--insert-from", sae.larger, "--latents", `${latent}`, "--no-loss"];
      const { insertion } = await json("evaluate", sae.smaller, ...words, ...reading);
      expect(insertion.deltaMse / latents.deltaMse[latent]).toBeCloseTo(1, 5);
    }
  });
});

describe("trajectory with a model", () => {
  test("measures losses from the smaller SAE to the larger, and documents every field", async () => {
    const pair = [sae.smaller, sae.larger];
    const { losses, path, steps } = await json("trajectory", ...pair, ...reading, "--bias", "donor");
    const page = "stitch-output.md";
    expect(fields(losses)).toEqual(await documented("Losses along a trajectory", page));
    const at = losses.steps.map(({ step }: { step: number }) => step);
    expect(at).toEqual(Array.from({ length: 9 }, (_, i) => Math.round((i * steps) / 8)));
    for (const { step, latents, l0, mse } of losses.steps)
      expect([latents, l0, mse]).toEqual([path.latents[step], path.l0[step], path.mse[step]]);
    const { loss } = await json("evaluate", ...pair, ...reading);
    const [smaller, larger] = loss.saes;
    const { step: _, latents: __, l0: ___, mse: ____, ...first } = losses.steps[0];
    expectFigures(first, smaller);
    expectFigures(losses.larger, larger);
    expect(losses.steps.at(-1).crossEntropy).toBeCloseTo(larger.crossEntropy, 5);
    expectFigures(losses.zero, loss.zero);
    expectFigures(losses.mean, loss.mean);
    expect(losses.steps[4].crossEntropy).not.toBeCloseTo(smaller.crossEntropy, 5);
  });

  test("--loss-at names steps; report, record and picture have them", async () => {
    const out = join(folder, "way");
    const words = [
      sae.smaller,
      sae.larger,
      ...reading,
      "--loss-at",
      "40,0",
      "--loss-tokens",
      "60",
      "--out",
      out,
    ];
    const { code, stdout } = await saestitch("trajectory", ...words);
    expect(code).toBe(0);
    expect(stdout).toContain("Loss along the way");
    expect(narrow(stdout)).toEqual([]);
    const { result, options } = JSON.parse(await readFile(join(out, "run.json"), "utf8"));
    expect(result.losses.steps.map(({ step }: { step: number }) => step)).toEqual([0, 40]);
    expect([options.lossAt, options.lossTokens, result.losses.tokens]).toEqual([[0, 40], 60, 60]);
    expect(await readFile(join(out, "trajectory.svg"), "utf8")).toContain("ΔCE");
  });

  test("re-fits the bias in the loss as in the error", async () => {
    const words = [sae.smaller, sae.larger, ...reading, "--loss-at", "0,20"];
    const [host, refit] = [
      await json("trajectory", ...words),
      await json("trajectory", ...words, "--bias", "refit"),
    ];
    expect(refit.losses.steps[1].mse).toBeLessThan(host.losses.steps[1].mse);
    expect(refit.losses.steps[1].crossEntropy).not.toBe(host.losses.steps[1].crossEntropy);
    expect(refit.losses.larger).toEqual(host.losses.larger);
  });

  test("refuses steps that the plan does not have, and steps named in two ways", async () => {
    const words = ["trajectory", sae.smaller, sae.larger, ...reading];
    for (const [more, complaint] of [
      [["--loss-at", "0,9999"], "step 9999"],
      [["--loss-at", "0", "--loss-steps", "3"], "exclude each other"],
      [["--loss-steps", "1"], "at least 2"],
      [["--loss-steps", "3", "--no-loss"], "--no-loss"],
    ] as const) {
      const { code, stdout, stderr } = await saestitch(...words, ...more);
      expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(complaint)]);
    }
    expect((await json(...words, "--no-loss")).losses).toBeNull();
  });
});

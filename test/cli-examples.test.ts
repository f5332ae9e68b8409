import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { matrix, normal, row, type Sae, seededRandom } from "@saestitch/core";
import { openActivations } from "@saestitch/core/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { realData } from "../core/test-support/real-data.ts";
import { writeStories260k } from "../models/test-support/stories260k.ts";
import { documentedFields } from "./cli-documented-fields.ts";
import { saestitch, writeSae, writeTensors } from "./cli-world.ts";

const model = fileURLToPath(new URL("../fixtures/models/gpt2-optimum", import.meta.url));
const [d, m] = [32, 12];
const latents = [3, 7, 0];

const documents = Array.from({ length: 9 }, (_, i) =>
  Array.from(
    { length: 5 + 3 * i },
    (_, word) => ["a needle", "the pin", "her room", "sharp"][(word * word + i) % 4],
  ).join(word(i)),
);
function word(i: number): string {
  return i % 2 === 0 ? " and " : ".\nThen ";
}

let folder: string;
let sae: Sae;
const at = (name: string) => join(folder, name);
const reading = () => ["--model", model, "--text", at("text.json"), "--context", "32"];
const chosen = ["--latent", "3,7", "--latent", "0"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-examples-"));
  const random = seededRandom(11);
  const normals = (count: number, scale: number) =>
    Float32Array.from({ length: count }, () => scale * normal(random));
  sae = {
    encoder: matrix(m, d, normals(m * d, 1)),
    encoderBias: normals(m, 1),
    decoder: matrix(m, d, normals(m * d, 1)),
    decoderBias: normals(d, 0.1),
    inputBias: new Float32Array(d),
    activation: { kind: "relu" },
    normalization: { kind: "none" },
    folds: [],
    origin: { dialect: "none" },
  };
  // A latent that cannot fire.
  row(sae.encoder, 0).fill(0);
  sae.encoderBias[0] = -1;
  await writeSae(at("sae"), sae);
  await writeSae(at("narrow"), {
    ...sae,
    encoder: matrix(m, 16, normals(m * 16, 1)),
    decoder: matrix(m, 16, normals(m * 16, 1)),
    decoderBias: normals(16, 1),
    inputBias: new Float32Array(16),
  });
  await writeFile(at("text.json"), JSON.stringify(documents));
  const { code, stderr } = await saestitch(
    ...["capture", model, "--text", at("text.json"), "--context", "32", "--dtype", "float32"],
    ...["--hook", "blocks.0.hook_resid_post", "--bos", "yes", "--out", at("acts"), "--quiet"],
  );
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

async function examplesOf(...words: string[]) {
  const { code, stdout, stderr } = await saestitch("examples", at("sae"), ...chosen, ...words, "--json");
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

const recorded = () => ["--activations", at("acts"), "--tokenizer", model];

/** Where a latent fires among the recorded rows: row, document, token and activation, strongest first. */
async function plainly(latent: number) {
  const source = await openActivations(at("acts"));
  const fired: { row: number; document: number; token: number; activation: number }[] = [];
  let tokens = 0;
  for await (const { start, activations, tokenIds, documentIds, excluded } of source.batches()) {
    for (let i = 0; i < activations.rows; i++) {
      if (excluded?.[i]) continue;
      tokens++;
      const x = row(activations, i);
      const w = row(sae.encoder, latent);
      const activation = x.reduce((sum, value, k) => sum + value * w[k], sae.encoderBias[latent]);
      if (activation > 0)
        fired.push({ row: start + i, document: documentIds![i], token: tokenIds![i], activation });
    }
  }
  await source.close();
  return { tokens, fired: fired.sort((a, b) => b.activation - a.activation) };
}

describe("examples", () => {
  test("finds where latents fire, as a plain computation does", async () => {
    const { latents: found, ...document } = await examplesOf(...recorded(), "--top", "6");
    expect(found.map(({ latent }: { latent: number }) => latent)).toEqual(latents);
    for (const entry of found) {
      const { tokens, fired } = await plainly(entry.latent);
      expect(document.tokens).toBe(tokens);
      expect([entry.fires, entry.share]).toEqual([fired.length, fired.length / tokens]);
      if (entry.latent === 0) {
        expect(entry).toMatchObject({ fires: 0, mean: null, max: 0, strongest: [], frequentTokens: [] });
        continue;
      }
      expect(fired.length).toBeGreaterThan(20);
      expect(entry.max).toBeCloseTo(fired[0].activation, 4);
      const total = fired.reduce((sum, { activation }) => sum + activation, 0);
      expect(entry.mean).toBeCloseTo(total / fired.length, 4);
      const ofDocuments = fired.filter(
        ({ document }, i) => fired.findIndex((other) => other.document === document) === i,
      );
      // The beginnings of some documents are alike, so that of equal activations rounding decides.
      expect(entry.strongest).toHaveLength(6);
      for (const [i, { row, document, activation }] of entry.strongest.entries()) {
        expect(activation).toBeCloseTo(ofDocuments[i].activation, 4);
        const place = fired.find((other) => other.row === row)!;
        expect([place.document, place.activation]).toEqual([document, expect.closeTo(activation, 4)]);
      }
      expect(new Set(entry.strongest.map(({ document }: { document: number }) => document)).size).toBe(6);
      const firesOn = (token: number) => fired.filter((other) => other.token === token).length;
      for (const { token, fires } of entry.frequentTokens) expect(fires).toBe(firesOn(token));
      expect(entry.frequentTokens[0].fires).toBe(Math.max(...fired.map(({ token }) => firesOn(token))));
    }
  });

  test("finds the same in a model's own reading of the text as in what was captured from it", async () => {
    const { latents: read } = await examplesOf(
      ...reading(),
      "--hook",
      "blocks.0.hook_resid_post",
      "--bos",
      "yes",
    );
    const { latents: captured } = await examplesOf(...recorded());
    expect(read.length).toBe(captured.length);
    for (const [i, { fires, strongest }] of read.entries()) {
      expect(fires).toBe(captured[i].fires);
      expect(strongest.length).toBe(captured[i].strongest.length);
      for (const [place, { activation }] of strongest.entries())
        expect(activation).toBeCloseTo(captured[i].strongest[place].activation, 4);
    }
  });

  test("--json has every field that is documented, and the text around each place", async () => {
    const documented = async (heading: string) =>
      (await documentedFields(heading, "", "examples-output.md")).sort();
    const document = await examplesOf(...recorded(), "--quantiles", "2", "--around", "4");
    expect(Object.keys(document).sort()).toEqual(await documented("`saestitch examples … --json`"));
    for (const latent of document.latents) {
      expect(Object.keys(latent).sort()).toEqual(await documented("An entry of `latents`"));
      for (const token of [...latent.frequentTokens, ...latent.strongTokens])
        expect(Object.keys(token).sort()).toEqual(await documented("A token"));
      for (const { quantile, ...place } of [...latent.strongest, ...latent.quantiles]) {
        expect(Object.keys(place).sort()).toEqual(await documented("A place"));
        expect(place.activations[place.at]).toBe(place.activation);
        expect(place.pieces).toHaveLength(place.tokenIds.length);
        expect(place.at).toBe(Math.min(4, place.position));
        const text = place.pieces.join("").replaceAll("<|endoftext|>", "");
        expect(documents[place.document]).toContain(text);
      }
    }
    expect(document.latents[0].quantiles.map(({ quantile }: { quantile: number }) => quantile)).toEqual([
      2 / 3,
      1 / 3,
    ]);
  });

  test("prints each latent with its text in 80 columns, tokens on which it fires in brackets", async () => {
    const { code, stdout } = await saestitch(
      "examples",
      at("sae"),
      ...chosen,
      ...recorded(),
      "--quantiles",
      "1",
    );
    expect(code).toBe(0);
    const { latents } = await examplesOf(...recorded());
    expect(stdout).toMatch(/^Latent 3\n {2}fires on [\d.]+ % of tokens \(\d+\), mean [\d.]+ there/m);
    expect(stdout).toMatch(/^ {2}most often on ".+" \d+ of \d+/m);
    expect(stdout).toMatch(/^Latent 0 {2}never fires on these [\d,]+ tokens$/m);
    expect(stdout).toMatch(/stronger than 50 % of its firings, document \d, token \d+$/m);
    const [place] = latents[0].strongest;
    expect(stdout).toContain(`document ${place.document}, token ${place.position}\n`);
    expect(stdout).toContain(`|${place.activation.toPrecision(3)}]]`);
    expect(stdout).not.toContain("\x1b");
    const lines = stdout.replaceAll(folder, "").split("\n");
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  test("refuses what it cannot show, in one line", async () => {
    await mkdir(at("silent"));
    await writeTensors(at("silent/acts.safetensors"), [
      { name: "activations", dtype: "F32", shape: [10, d], values: new Float32Array(10 * d) },
    ]);
    const tokenizer = JSON.parse(await readFile(join(model, "tokenizer.json"), "utf8"));
    const kept = Object.entries(tokenizer.model.vocab).filter(([, id]) => (id as number) < 60);
    await writeFile(
      at("small.json"),
      JSON.stringify({
        ...tokenizer,
        model: { ...tokenizer.model, vocab: Object.fromEntries(kept), merges: [] },
      }),
    );
    for (const [words, exit, complaint] of [
      [[at("sae"), "--latent", "12", ...recorded()], 2, "has the latents 0 to 11"],
      [[at("sae"), "--latent", "1", "--activations", at("acts")], 2, "--tokenizer TOKENIZER"],
      [
        [at("sae"), "--latent", "1", ...reading(), "--tokenizer", model],
        2,
        "--tokenizer does not go with --text",
      ],
      [[at("sae"), "--latent", "1"], 2, "--activations PATH is missing"],
      [[at("sae"), ...recorded()], 2, "--latent N,… is missing"],
      [[at("narrow"), "--latent", "1", ...recorded()], 1, "of width 16"],
      [
        [at("sae"), "--latent", "1", "--activations", at("silent"), "--tokenizer", model],
        1,
        "have no token ids",
      ],
      [
        [at("sae"), "--latent", "3", "--activations", at("acts"), "--tokenizer", at("small.json")],
        1,
        "has no such token",
      ],
      [
        [at("sae"), "--latent", "1", "--activations", at("acts"), "--tokenizer", folder],
        1,
        "no tokenizer.json",
      ],
    ] as const) {
      const { code, stdout, stderr } = await saestitch("examples", ...words, "--quiet");
      expect([words, code, stdout]).toEqual([words, exit, ""]);
      expect(stderr).toContain(complaint);
      expect(stderr).not.toContain("    at ");
    }
  });
});

const real = realData();

describe.runIf(real.isThere)("examples of the real language model", () => {
  test("are the same from its own reading and from recorded activations, and are about text", async () => {
    await mkdir(at("stories"));
    await writeStories260k(at("stories"));
    const examples = async (...words: string[]) => {
      const { code, stdout, stderr } = await saestitch(
        ...["examples", join(real.folder, "saes/blocks.2.hook_resid_post_512"), "--latent", "12"],
        ...["--tokens", "20000", "--json", ...words],
      );
      expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
      return JSON.parse(stdout).latents[0];
    };
    const stories = join(real.folder, "../tinystories/tinystories_1000.json");
    const read = await examples("--model", at("stories"), "--text", stories);
    const recorded = await examples(
      ...["--activations", join(real.folder, "activations"), "--tokenizer", at("stories")],
    );
    // It fires on the p of help.
    expect(read.frequentTokens[0].text).toBe("p");
    for (const { pieces, at } of read.strongest) expect(pieces.slice(0, at + 1).join("")).toMatch(/ help$/);
    expect(read.strongest.map(({ row }: { row: number }) => row)).toEqual(
      recorded.strongest.map(({ row }: { row: number }) => row),
    );
    for (const [i, { activation, pieces }] of read.strongest.entries()) {
      // What is recorded is in 16 bits.
      expect(activation).toBeCloseTo(recorded.strongest[i].activation, 1);
      expect(pieces).toEqual(recorded.strongest[i].pieces);
    }
  });
});

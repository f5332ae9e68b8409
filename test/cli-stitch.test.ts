import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeToyWorld } from "@saestitch/core";
import { readSae } from "@saestitch/core/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentedFields } from "./cli-documented-fields.ts";
import { type Finished, start, type WorldOnDisk, writeSae, writeWorld } from "./cli-world.ts";

let world: WorldOnDisk;
let pair: string[];
beforeAll(async () => {
  world = await writeWorld({ documents: 120 });
  pair = [world.smaller, world.larger, "--activations", world.activations];
});
afterAll(() => world.remove());

const out = (name: string) => join(world.folder, name);

/** Run the program with its cache in the world's folder. */
function saestitch(...words: string[]): Promise<Finished> {
  return start(words, { SAESTITCH_CACHE: out("cache") }).finished;
}

async function stitched(...words: string[]) {
  const { code, stdout, stderr } = await saestitch("stitch", ...pair, ...words, "--json");
  expect([code, stderr.replace(/^(codes of|wrote|warning).*$/gm, "").trim()]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

describe("stitch", () => {
  test("writes an ordinary SAE within the budget, with where each latent comes from", async () => {
    const folder = out("frankenstein");
    const document = await stitched("--latents", "150", "--l0", "4", "--decoder", "refit", "--out", folder);
    expect((await readdir(folder)).sort()).toEqual([
      "cfg.json",
      "sae_weights.safetensors",
      "stitch.json",
      "stitch.svg",
    ]);
    const sae = await readSae(folder);
    expect(sae.decoder.rows).toBe(document.latents.length);
    expect(sae.decoder.rows).toBeLessThanOrEqual(150);
    expect(document.result.isResult && document.result.method === "greedy").toBe(true);
    // The budget holds exactly where latents were chosen, and about where they were not.
    expect(document.result.l0).toBeLessThan(4.3);

    const sources = new Map(
      await Promise.all(
        [world.smaller, world.larger].map(async (path) => [path, await readSae(path)] as const),
      ),
    );
    for (const [j, { source, index, deltaMse, verdict }] of document.latents.entries()) {
      const own = sources.get(source)!;
      const d = world.d;
      expect(sae.encoder.values.subarray(j * d, (j + 1) * d)).toEqual(
        own.encoder.values.subarray(index * d, (index + 1) * d),
      );
      expect(["novel", "reconstruction", "undecided", "dead"]).toContain(verdict);
      expect(deltaMse).toBeTypeOf("number");
    }
    const record = JSON.parse(await readFile(join(folder, "stitch.json"), "utf8"));
    const { recipe, ...rest } = record;
    expect(rest).toEqual(document);
    expect(recipe.command.slice(0, 2)).toEqual(["saestitch", "stitch"]);
    expect(recipe.inputs.saes).toHaveLength(2);
    const documented = (heading: string) => documentedFields(heading, "", "stitch-output.md");
    expect(Object.keys(record).sort()).toEqual(
      (await documented("`saestitch stitch … --json`, and `stitch.json`")).sort(),
    );
    expect(Object.keys(record.result).sort()).toEqual((await documented("A row of `comparison`")).sort());
  });

  test("measures itself against its rivals on documents of their own, and beats a random choice", async () => {
    const { comparison, halves, commonL0 } = await stitched(
      "--latents",
      "150",
      "--out",
      out("rivals"),
      "--rivals",
      world.larger,
    );
    const methods = new Set(comparison.map(({ method }: { method: string }) => method));
    expect([...methods].sort()).toEqual(["concatenation", "greedy", "random", "threshold", "trained"]);
    const mse = (method: string, refit: string) =>
      comparison.find((row: Record<string, unknown>) => row.method === method && row.refit === refit).mse;
    expect(mse("greedy", "bias")).toBeLessThan(mse("random", "bias"));
    expect(mse("greedy", "decoder")).toBeLessThan(mse("greedy", "bias"));
    expect(halves.selection.documents + halves.evaluation.documents).toBe(120);
    for (const { l0, matching } of comparison)
      if (matching !== "free") expect(l0).toBeLessThan(1.1 * commonL0);
  });

  test("in another layout is the same SAE, and the same command gives the same bytes", async () => {
    const words = ["--latents", "100"];
    await stitched(...words, "--out", out("one"));
    await stitched(...words, "--out", out("two"), "--threads", "1");
    for (const name of ["cfg.json", "sae_weights.safetensors", "stitch.svg"])
      expect(await readFile(join(out("one"), name))).toEqual(await readFile(join(out("two"), name)));
    await stitched(...words, "--out", out("three"), "--layout", "gemma-scope");
    await stitched(...words, "--out", out("four"), "--layout", "dictionary-learning");
    expect(await readdir(out("four"))).toContain("ae.pt");
    const { stdout } = await saestitch(
      "evaluate",
      out("one"),
      out("three"),
      "--activations",
      world.activations,
      "--json",
    );
    const [one, three] = JSON.parse(stdout).saes;
    expect(three.mse).toBe(one.mse);
    expect(three.l0).toBe(one.l0);
  });

  test("--method threshold takes the smallest SAE and what is novel to it, whatever the number", async () => {
    const { result, latents } = await stitched("--method", "threshold", "--out", out("published"));
    const smallest = (await readSae(world.smaller)).decoder.rows;
    expect(result.method).toBe("threshold");
    expect(latents.filter(({ source }: { source: string }) => source === world.smaller)).toHaveLength(
      smallest,
    );
    expect(latents.length).toBeGreaterThan(smallest);
  });

  test("turns a TopK SAE into its threshold form, and says what that changed", async () => {
    const folder = out("topk");
    await writeSae(folder, makeToyWorld({ d: world.d, documents: 1 }).larger);
    const config = JSON.parse(await readFile(join(folder, "cfg.json"), "utf8"));
    await writeFile(join(folder, "cfg.json"), JSON.stringify({ ...config, architecture: "topk", k: 5 }));
    const { code, stdout } = await saestitch(
      "stitch",
      world.smaller,
      folder,
      "--activations",
      world.activations,
      "--latents",
      "130",
      "--out",
      out("from-topk"),
      "--json",
    );
    expect(code).toBe(0);
    const [{ k, threshold, l0 }] = JSON.parse(stdout).thresholdForms;
    expect([k, l0.before <= 5]).toEqual([5, true]);
    expect(threshold).toBeGreaterThan(0);
    expect(Math.abs(l0.after - 5)).toBeLessThan(0.1);
  });

  test("prints its tables in 80 columns", async () => {
    const { code, stdout } = await saestitch("stitch", ...pair, "--latents", "60", "--out", out("printed"));
    expect(code).toBe(0);
    expect(stdout).toContain("and its rivals");
    const shown = stdout
      .replaceAll(world.folder, "")
      .replace(/\p{Mn}/gu, "")
      .split("\n");
    expect(shown.filter((line) => line.length > 80)).toEqual([]);
  });

  test("refuses what cannot be done, and leaves nothing behind", async () => {
    const narrow = out("narrow");
    await writeSae(narrow, makeToyWorld({ d: 64, documents: 2 }).smaller);
    const taken = out("taken");
    await mkdir(taken);
    await writeFile(join(taken, "thesis.tex"), "years of work");
    const refused = out("refused");
    for (const [words, exit, complaint] of [
      [[...pair, "--out", refused], 2, "--latents N or --l0 X"],
      [[...pair, "--latents", "0", "--out", refused], 2, "at least 1"],
      [[...pair, "--l0", "-1", "--out", refused], 2, "above 0"],
      [[...pair, "--latents", "50"], 2, "--out SAE_DIR is missing"],
      [
        [world.smaller, "--activations", world.activations, "--latents", "50", "--out", refused],
        2,
        "<next> is missing",
      ],
      [[...pair, "--latents", "50", "--out", taken, "--force"], 1, "holds something else (thesis.tex)"],
      [[...pair, "--latents", "50", "--tokens", "20", "--out", refused], 1, "document"],
      [[...pair, "--latents", "50", "--rivals", narrow, "--out", refused], 1, "width 64"],
      [[...pair, "--method", "threshold", "--latents", "50", "--out", refused], 1, "50"],
    ] as const) {
      const { code, stdout, stderr } = await saestitch("stitch", ...words);
      expect([words, code, stdout]).toEqual([words, exit, ""]);
      expect(stderr).toContain(complaint);
    }
    expect(await readdir(taken)).toEqual(["thesis.tex"]);
    expect((await readdir(world.folder)).filter((name) => /refused|\.tmp$/.test(name))).toEqual([]);
  });

  test("replaces an earlier result only when told to", async () => {
    const words = ["stitch", ...pair, "--latents", "60", "--out", out("printed")];
    const before = await readFile(join(out("printed"), "stitch.json"));
    expect((await saestitch(...words)).stderr).toContain("--force");
    expect(await readFile(join(out("printed"), "stitch.json"))).toEqual(before);
    expect((await saestitch(...words, "--force")).code).toBe(0);
  });
});

describe("stitch --boosted", () => {
  const boost = () => join(out("boost"), "24");
  const codesOf = (stderr: string, location: string) =>
    /in (\S+), (encoded now|read)/.exec(
      stderr.split("\n").find((line) => line.startsWith(`codes of ${location}:`))!,
    )!;
  const train = (to: string, ...words: string[]) =>
    saestitch(
      "train",
      "--activations",
      world.activations,
      "--widths",
      "24",
      "--k",
      "4",
      "--steps",
      "60",
      ...words,
      "--out",
      to,
    );

  beforeAll(async () => {
    expect((await train(out("boost"), "--residual-of", world.smaller)).code).toBe(0);
  });

  test("enters the smallest SAE and one trained on what that leaves as one rival, measured over both passes", async () => {
    const document = await stitched("--latents", "150", "--out", out("beside"), "--boosted", boost());
    const smallest = (await readSae(world.smaller)).decoder.rows;
    expect(document.boosted).toMatchObject([{ location: boost(), latents: 24, residualOf: world.smaller }]);
    expect(document.rivals).toEqual([]);
    const rows = document.comparison.filter(({ method }: { method: string }) => method === "boosted");
    expect(rows.map(({ refit }: { refit: string }) => refit)).toEqual(["none", "bias", "decoder"]);
    for (const { location, latents, notes } of rows) {
      expect([location, latents]).toEqual([boost(), smallest + 24]);
      expect(notes).toContain(`${smallest + 24} latents, not 150`);
    }
    expect(new Set(document.latents.map(({ source }: { source: string }) => source))).toEqual(
      new Set([world.smaller, world.larger]),
    );
    const record = JSON.parse(await readFile(join(out("beside"), "stitch.json"), "utf8"));
    expect(record.recipe.options.boosted).toBe(boost());
    expect(record.recipe.inputs.saes).toHaveLength(3);
    expect(await readFile(join(out("beside"), "stitch.svg"), "utf8")).toContain("boosted");

    // x − x̂ of the smallest, read by the other: the record of its training has the same, over all documents.
    const { sae } = JSON.parse(await readFile(join(boost(), "training.json"), "utf8"));
    expect(rows[0].mse / sae.mse).toBeGreaterThan(0.8);
    expect(rows[0].mse / sae.mse).toBeLessThan(1.25);
  });

  test("keeps its codes apart from those over the activations themselves", async () => {
    const words = ["stitch", ...pair, "--latents", "20", "--out", out("apart"), "--force"];
    const boosted = await saestitch(...words, "--boosted", boost());
    const rival = await saestitch(...words, "--rivals", boost());
    const again = await saestitch(...words, "--boosted", boost());
    const [one, other, same] = [boosted, rival, again].map(({ stderr }) => codesOf(stderr, boost()));
    expect(other[1]).not.toBe(one[1]);
    expect(same.slice(1)).toEqual([one[1], "read"]);
    expect(again.stdout).toBe(boosted.stdout);
    expect(boosted.stdout).toContain("boosted SAE");
  });

  test("gives a TopK SAE the threshold that fits what it reads, and without a record takes it on trust", async () => {
    const folder = out("topk-boost");
    await writeSae(folder, await readSae(boost()));
    const config = JSON.parse(await readFile(join(folder, "cfg.json"), "utf8"));
    await writeFile(join(folder, "cfg.json"), JSON.stringify({ ...config, architecture: "topk", k: 4 }));
    const document = await stitched("--latents", "20", "--out", out("topk-beside"), "--boosted", folder);
    const [{ location, k, l0 }] = document.thresholdForms;
    expect([location, k, l0.before]).toEqual([folder, 4, 4]);
    expect(Math.abs(l0.after - 4)).toBeLessThan(0.1);
    expect(document.boosted[0].variant).toMatch(/^threshold /);
    const { stderr } = await saestitch(
      "stitch",
      ...pair,
      "--latents",
      "20",
      "--out",
      out("trusted"),
      "--boosted",
      folder,
    );
    expect(stderr).toContain(
      `warning: ${folder}: no training.json says what it was trained on; taken for what ${world.smaller} leaves`,
    );
  });

  test("refuses an SAE that was trained on what another leaves, or on activations", async () => {
    expect((await train(out("plain"))).code).toBe(0);
    const swapped = [world.larger, world.smaller, "--activations", world.activations];
    for (const [words, complaint] of [
      [[...swapped, "--boosted", boost()], `was trained on what ${world.smaller} leaves`],
      [[...pair, "--boosted", join(out("plain"), "24")], "was trained on activations"],
    ] as const) {
      const { code, stdout, stderr } = await saestitch(
        "stitch",
        ...words,
        "--latents",
        "20",
        "--out",
        out("other-host"),
      );
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toContain(complaint);
    }
    expect(await readdir(world.folder)).not.toContain("other-host");
  });
});

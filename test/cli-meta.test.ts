import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeToyWorld, row, type Sae } from "@saestitch/core";
import { readSae } from "@saestitch/core/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentedFields } from "./cli-documented-fields.ts";
import { inner, plainly, SILENT, unit, writeMetaWorld } from "./cli-meta-world.ts";
import { parquetRows, saestitch, start, writeSae } from "./cli-world.ts";

let world: Awaited<ReturnType<typeof writeMetaWorld>>;
let larger: Sae;
beforeAll(async () => {
  world = await writeMetaWorld();
  larger = world.largerSae;
});
afterAll(() => world.remove());

const out = (name: string) => join(world.folder, name);
const short = ["--latents", "24", "--steps", "120"];
const documented = (heading: string) => documentedFields(heading, "", "meta-output.md");
const fieldsOf = (object: object) => Object.keys(object).sort();

/** Train a meta-SAE of the larger SAE into a folder of this name. */
function meta(folder: string, ...words: string[]) {
  return saestitch("meta", world.larger, ...words, "--out", out(folder));
}

describe("meta", () => {
  test("writes a meta-SAE, what each latent is made of, a picture and a record, all documented", async () => {
    const { code, stdout } = await meta("meta", ...short, "--compare", world.smaller, "--json");
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect((await readdir(out("meta"))).sort()).toEqual([
      "cfg.json",
      "decomposition.parquet",
      "meta-latents.parquet",
      "meta.json",
      "meta.svg",
      "sae_weights.safetensors",
    ]);
    const { recipe, ...record } = JSON.parse(await readFile(join(out("meta"), "meta.json"), "utf8"));
    expect(record).toEqual(document);
    expect(fieldsOf({ recipe, ...record })).toEqual(
      (await documented("`saestitch meta … --json`, and `meta.json`")).sort(),
    );
    expect(fieldsOf(document.training)).toEqual((await documented("`training`")).sort());
    expect(fieldsOf(document.fit)).toEqual((await documented("A fit")).sort());
    expect(fieldsOf(document.comparison)).toEqual((await documented("`comparison`")).sort());
    for (const fit of [document.null, document.comparison.nearest.after, document.comparison.pursuit.own])
      expect(fieldsOf(fit)).toEqual(fieldsOf(document.fit));
    expect([document.larger.m, document.directions, document.zeroLatents]).toEqual([
      world.m,
      world.m - 1,
      [SILENT],
    ]);
    expect(document.training).toMatchObject({ recipe: "leask", latents: 24, k: 4, steps: 120, seed: 0 });
    expect(recipe.options).toMatchObject({
      recipe: "leask",
      latents: 24,
      compare: world.smaller,
      noNull: false,
    });
    for (const { files } of [recipe.inputs.larger, recipe.inputs.smaller])
      expect(files[0].sha256).toMatch(/^[0-9a-f]{64}$/);
    const picture = await readFile(join(out("meta"), "meta.svg"), "utf8");
    expect(picture).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(picture).not.toContain("NaN");
  });

  test("writes what the meta-SAE in the folder makes of each direction, and its figures follow from that", async () => {
    const metaSae = await readSae(out("meta"));
    const document = JSON.parse(await readFile(join(out("meta"), "meta.json"), "utf8"));
    const rows = await parquetRows(join(out("meta"), "decomposition.parquet"));
    expect(fieldsOf(rows[0])).toEqual((await documented("`decomposition.parquet`")).sort());
    const latents = [...Array(world.m).keys()].filter((j) => j !== SILENT);
    const directions = latents.map((j) => unit(larger.decoder, j));
    const whole = directions.map((w) => plainly(metaSae, w));

    let at = 0;
    for (const [i, latent] of latents.entries()) {
      const expected = whole[i].strengths
        .map((strength, j) => ({ strength, j }))
        .filter(({ strength }) => strength > 0)
        .sort((a, b) => b.strength - a.strength);
      for (const { strength, j } of expected) {
        expect([rows[at].latent, rows[at].metaLatent]).toEqual([latent, j]);
        expect(rows[at].strength).toBeCloseTo(strength, 5);
        at++;
      }
    }
    expect(at).toBe(rows.length);

    const mean = directions[0].map(
      (_, c) => directions.reduce((sum, w) => sum + w[c], 0) / directions.length,
    );
    const apart = (a: number[], b: number[]) => a.reduce((sum, value, c) => sum + (value - b[c]) ** 2, 0);
    const error = directions.reduce((sum, w, i) => sum + apart(w, whole[i].sum), 0);
    const spread = directions.reduce((sum, w) => sum + apart(w, mean), 0);
    expect(document.fit.varianceExplained).toBeCloseTo(1 - error / spread, 5);
    expect(document.fit.mse).toBeCloseTo(error / (directions.length * world.d), 7);
    expect(document.fit.l0).toBeCloseTo(rows.length / directions.length, 9);
    const counts = document.activeCounts as number[];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(directions.length);
    expect(counts.reduce((sum, count, active) => sum + count * active, 0)).toBe(rows.length);
    const used = new Set(rows.map(({ metaLatent }) => metaLatent));
    expect(document.deadMetaLatents).toBe(24 - used.size);
  });

  test("says of each meta-latent where it is active, and what it is closest to", async () => {
    const metaSae = await readSae(out("meta"));
    const smaller = await readSae(world.smaller);
    const rows = await parquetRows(join(out("meta"), "meta-latents.parquet"));
    expect(fieldsOf(rows[0])).toEqual((await documented("`meta-latents.parquet`")).sort());
    const entries = await parquetRows(join(out("meta"), "decomposition.parquet"));
    const closest = (decoder: Sae["decoder"], direction: number[]) =>
      [...Array(decoder.rows).keys()]
        .map((latent) => ({ latent, cosine: inner(unit(decoder, latent), direction) }))
        .filter(({ cosine }) => !Number.isNaN(cosine))
        .reduce((best, other) => (other.cosine > best.cosine ? other : best));
    expect(rows).toHaveLength(24);
    for (const [j, found] of rows.entries()) {
      const own = entries.filter(({ metaLatent }) => metaLatent === j);
      expect([found.metaLatent, found.latents]).toEqual([j, own.length]);
      const strongest = own.sort((a, b) => b.strength - a.strength).map(({ latent }) => latent);
      expect(found.topLatents).toBe(strongest.slice(0, 5).join(","));
      const mean = own.reduce((sum, { strength }) => sum + strength, 0) / own.length;
      if (own.length === 0) expect(found.meanStrength).toBe(null);
      else expect(found.meanStrength).toBeCloseTo(mean, 6);
      const direction = unit(metaSae.decoder, j);
      for (const [sae, name] of [
        [larger, "Larger"],
        [smaller, "Smaller"],
      ] as const) {
        const { latent, cosine } = closest(sae.decoder, direction);
        expect(found[`nearest${name}`]).toBe(latent);
        expect(found[`nearest${name}Cosine`]).toBeCloseTo(cosine, 5);
      }
    }
  });

  test("says whether the meta-SAE or sparse regression wins, and by how much", async () => {
    const { fit, comparison } = JSON.parse(await readFile(join(out("meta"), "meta.json"), "utf8"));
    const { winner, advantage, pursuit } = comparison;
    expect(advantage).toBe(fit.varianceExplained - pursuit.smaller.varianceExplained);
    expect(winner).toBe(advantage > 0 ? "meta-sae" : "sparse-regression");
    expect(pursuit.smaller.varianceExplained).toBeGreaterThan(pursuit.random.varianceExplained);
    for (const { l0 } of Object.values<{ l0: number }>(pursuit)) expect(l0).toBeLessThanOrEqual(4);
  });

  test("gives the same bytes again, with any number of threads and whatever it is compared with", async () => {
    expect((await meta("again", ...short, "--threads", "1", "--no-null", "--json")).code).toBe(0);
    for (const name of ["sae_weights.safetensors", "decomposition.parquet"])
      expect(await readFile(join(out("again"), name))).toEqual(await readFile(join(out("meta"), name)));
    const {
      null: none,
      comparison,
      smaller,
    } = JSON.parse(await readFile(join(out("again"), "meta.json"), "utf8"));
    expect([none, comparison, smaller]).toEqual([null, null, null]);
    const rows = await parquetRows(join(out("again"), "meta-latents.parquet"));
    expect(rows[0]).not.toHaveProperty("nearestSmaller");
    await meta("seeded", ...short, "--no-null", "--seed", "1");
    expect(await readFile(join(out("seeded"), "decomposition.parquet"))).not.toEqual(
      await readFile(join(out("meta"), "decomposition.parquet")),
    );
  });

  test("trains by the recipe that is named, for as many meta-latents as it has", async () => {
    const { code, stdout } = await meta(
      "saebench",
      "--recipe",
      "saebench",
      "--steps",
      "5",
      "--k",
      "3",
      "--json",
    );
    expect(code).toBe(0);
    const { training, null: random } = JSON.parse(stdout);
    const latents = Math.round((world.m - 1) / 4);
    expect(training).toMatchObject({ recipe: "saebench", latents, k: 3, steps: 5, rate: 5e-4 });
    expect(random.l0).toBeCloseTo(3, 1);
  });

  test("what it writes is an SAE that inspect reads", async () => {
    const { code, stdout } = await saestitch("inspect", out("meta"), "--json");
    expect(code).toBe(0);
    const { m, d, architecture } = JSON.parse(stdout);
    expect([m, d]).toEqual([24, world.d]);
    expect(architecture).toContain("batchtopk");
  });

  test("prints its tables in 80 columns, and says on the way how it goes", async () => {
    const { code, stdout } = await meta("printed", ...short, "--compare", world.smaller, "--quiet");
    expect(code).toBe(0);
    expect(stdout).toMatch(/meta-SAE +-?[\d.]+ % +[\d.]+e-\d +4\.0\d +[\d.]+ %\n/);
    expect(stdout).toMatch(/wins: .* explains\s+\(.*\)\s+[\d.]+\s+percentage\s+points\s+more/s);
    const shown = stdout
      .replaceAll(world.folder, "")
      .replace(/\p{Mn}/gu, "")
      .split("\n");
    expect(shown.filter((line) => line.length > 80)).toEqual([]);
  });

  test("--help shows usage, options and examples in 80 columns", async () => {
    for (const [command, usage] of [
      ["meta", "Usage: saestitch meta <larger> --out DIR [options]"],
      ["decompose", "Usage: saestitch decompose <larger> --meta META --latent N,… [options]"],
    ] as const) {
      const { code, stdout } = await saestitch(command, "--help");
      expect([code, stdout.includes(usage)]).toEqual([0, true]);
      expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
    }
  });

  test("refuses what cannot be done, and leaves nothing behind", async () => {
    await writeSae(out("narrow"), makeToyWorld({ d: 64, documents: 1 }).smaller);
    const broken = { ...larger, decoder: { ...larger.decoder, values: larger.decoder.values.slice() } };
    row(broken.decoder, 7)[2] = Number.NaN;
    await writeSae(out("broken"), broken);
    await mkdir(out("taken"));
    await writeFile(join(out("taken"), "thesis.tex"), "years of work");
    const to = ["--out", out("refused")];
    const sae = world.larger;
    for (const [words, exit, complaint] of [
      [[sae, "--latents", "4", ...to], 2, "--k 4 must be less than --latents 4"],
      [[sae, "--k", "0", ...to], 2, "--k must be a whole number of at least 1"],
      [[sae, "--steps", "0", ...to], 2, "--steps must be a whole number of at least 1"],
      [[sae, "--recipe", "anthropic", ...to], 2, '--recipe must be leask or saebench, not "anthropic"'],
      [[sae], 2, "--out DIR is missing"],
      [to, 2, "<larger> is missing"],
      [[sae, "--no-null", "--compare", world.smaller, ...to], 2, "--no-null does not go with --compare"],
      [[sae, "--latents", String(world.m), ...to], 1, `more than the ${world.m - 1} directions`],
      [[sae, "--k", "100", ...to], 1, "there must be more than --k 100: give --latents N"],
      [[sae, "--compare", out("narrow"), ...to], 1, "of width 64"],
      [[out("broken"), ...to], 1, "NaN at [7, 2]"],
      [[out("nowhere"), ...to], 1, "there is nothing there"],
      [[sae, "--force", "--out", out("taken")], 1, "holds something else (thesis.tex)"],
      [[sae, "--out", out("meta")], 1, "--force"],
    ] as const) {
      const { code, stdout, stderr } = await saestitch("meta", ...words);
      expect([words, code, stdout]).toEqual([words, exit, ""]);
      expect(stderr).toContain(complaint);
    }
    expect(await readdir(out("taken"))).toEqual(["thesis.tex"]);
    expect((await readdir(world.folder)).filter((name) => /refused|\.tmp$/.test(name))).toEqual([]);
  });

  test("interrupted by Ctrl-C stops, and writes nothing", async () => {
    const { child, finished } = start([
      "meta",
      world.larger,
      "--steps",
      "100000",
      "--out",
      out("interrupted"),
    ]);
    let said = "";
    child.stderr.on("data", (text) => {
      said += text;
    });
    while (!said.includes("steps/s") && child.exitCode === null) await delay(20);
    child.kill("SIGINT");
    const { code, stdout, stderr } = await finished;
    expect([code, stdout]).toEqual([130, ""]);
    expect(stderr).toMatch(
      /training: \d+ % .* steps\/s .* left\n {2}var\. expl\. ↑ [\d.]+ {2}active 4\.\d+ {2}dead ↓/,
    );
    expect(stderr).toContain("Interrupted; nothing was written");
    expect((await readdir(world.folder)).filter((name) => name.startsWith("interrupted"))).toEqual([]);
  });

  test("warns of an SAE to compare with that is the larger one", async () => {
    const { code, stderr } = await saestitch(
      "meta",
      world.smaller,
      ...["--latents", "8", "--steps", "2", "--compare", world.larger, "--out", out("swapped")],
    );
    expect(code).toBe(0);
    expect(stderr).toContain("did you mean to swap them?");
  });
});

import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentedFields } from "./cli-documented-fields.ts";
import { type Finished, parquetRows, start, type WorldOnDisk, writeWorld } from "./cli-world.ts";

let world: WorldOnDisk;
let pair: string[];
beforeAll(async () => {
  world = await writeWorld();
  pair = [world.smaller, world.larger, "--activations", world.activations];
});
afterAll(() => world.remove());

const out = (name: string) => join(world.folder, name);

/** Run the program with its cache in the world's folder. */
function saestitch(...words: string[]): Promise<Finished> {
  return start(words, { SAESTITCH_CACHE: out("cache") }).finished;
}

async function json(...words: string[]) {
  const { code, stdout, stderr } = await saestitch(...words, "--json");
  expect([code, stderr.includes("Error")]).toEqual([0, false]);
  return JSON.parse(stdout);
}

/** The fields of a document, and those that a page of docs/ describes for the command. */
async function bothFields(command: string, document: object, page = "stitch-output.md") {
  const documented = await documentedFields(`\`saestitch ${command} … --json\``, "", page);
  return [Object.keys(document).sort(), documented.sort()];
}

const narrow = (stdout: string) =>
  stdout
    .replaceAll(world.folder, "")
    .replace(/\p{Mn}/gu, "")
    .split("\n")
    .filter((line) => line.length > 80);

describe("evaluate", () => {
  test("gives each SAE the figures that label and inspect give it", async () => {
    const document = await json("evaluate", ...pair);
    const [fields, documented] = await bothFields("evaluate", document, "evaluate-output.md");
    expect(fields).toEqual(documented);
    const { saes, tokens } = document;
    const labelled = await json("label", ...pair);
    expect(tokens).toBe(labelled.tokens);
    expect(
      saes.map(({ l0, mse, varianceExplained, deadShare }: Record<string, number>) => ({
        l0,
        mse,
        varianceExplained,
        deadShare,
      })),
    ).toEqual(
      [labelled.smaller, labelled.larger].map(({ l0, mse, varianceExplained, deadShare }) => ({
        l0,
        mse,
        varianceExplained,
        deadShare,
      })),
    );
    expect(saes.map(({ undominated }: { undominated: boolean }) => undominated)).toEqual([true, true]);
  });

  test("takes any number of SAEs, and prints them in 80 columns", async () => {
    const { code, stdout } = await saestitch(
      "evaluate",
      world.smaller,
      world.larger,
      world.smaller,
      ...pair.slice(2),
    );
    expect(code).toBe(0);
    expect(stdout.match(/smaller/g)?.length).toBe(2);
    expect(narrow(stdout)).toEqual([]);
    expect((await saestitch("evaluate", ...pair.slice(2))).code).toBe(2);
  });
});

describe("families", () => {
  test("needs no activations to find families by cosine", async () => {
    const { sizes, families, kinds, latents } = await json("families", world.smaller, world.larger);
    expect([kinds, latents]).toEqual([null, null]);
    expect(sizes.counts.reduce((sum: number, { families }: { families: number }) => sum + families, 0)).toBe(
      families.length,
    );
    const members = families
      .flatMap(({ larger }: { larger: number[] }) => larger)
      .sort((a: number, b: number) => a - b);
    expect(members).toEqual([...members.keys()]);
    expect(members).toHaveLength(world.m);
  });

  test("with activations says what each latent is, and gives lone latents label's ΔMSE", async () => {
    const document = await json("families", ...pair);
    const [fields, documented] = await bothFields("families", document);
    expect(fields).toEqual(documented);
    const { families, latents, kinds } = document;
    const labelled = await json("label", ...pair);
    expect(latents).toHaveLength(world.m);
    expect(Object.values<number>(kinds).reduce((sum, count) => sum + count)).toBe(world.m);
    const lone = families.filter(
      ({ smaller, larger }: Record<string, number[]>) => smaller.length === 0 && larger.length === 1,
    );
    expect(lone.length).toBeGreaterThan(10);
    for (const { larger, deltaMse, effect } of lone) {
      const expected = labelled.latents.deltaMse[larger[0]];
      expect(Math.abs(deltaMse - expected)).toBeLessThan(
        1e-6 * Math.max(Math.abs(expected), labelled.smaller.mse),
      );
      expect(effect).toBeTypeOf("string");
    }
  });

  test("--out keeps tables, a picture and a record; what else is in the folder is not overwritten", async () => {
    const folder = out("families");
    const { families } = await json("families", ...pair, "--out", folder);
    expect((await readdir(folder)).sort()).toEqual([
      "families.parquet",
      "families.svg",
      "latents.parquet",
      "pairs.parquet",
      "run.json",
    ]);
    const rows = await parquetRows(join(folder, "families.parquet"));
    expect(rows.map(({ deltaMse }) => deltaMse)).toEqual(
      families.map(({ deltaMse }: { deltaMse: number }) => deltaMse),
    );
    expect((await saestitch("families", ...pair, "--out", folder)).stderr).toContain("--force");
    const other = await saestitch("label", ...pair, "--out", folder, "--force");
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("holds something else")]);
  });

  test("prints tables in 80 columns", async () => {
    const { code, stdout } = await saestitch("families", ...pair, "--rule", "evidence");
    expect(code).toBe(0);
    expect(stdout).toContain("Swapping a family of both SAEs");
    expect(narrow(stdout)).toEqual([]);
  });

  test("refuses evidence without activations, and SAEs that normalise differently", async () => {
    const refused = await saestitch("families", world.smaller, world.larger, "--rule", "evidence");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("--activations")]);
    await mkdir(out("normalised"), { recursive: true });
    const config = JSON.parse(await readFile(join(world.larger, "cfg.json"), "utf8"));
    await writeFile(
      join(out("normalised"), "cfg.json"),
      JSON.stringify({ ...config, normalize_activations: "layer_norm" }),
    );
    await writeFile(
      join(out("normalised"), "sae_weights.safetensors"),
      await readFile(join(world.larger, "sae_weights.safetensors")),
    );
    const mixed = await saestitch(
      "trajectory",
      world.smaller,
      out("normalised"),
      "--activations",
      world.activations,
    );
    expect([mixed.code, mixed.stderr]).toEqual([
      1,
      expect.stringMatching(/none .*layer-norm.*one normalisation/),
    ]);
  });
});

describe("codes", () => {
  test("are kept with their size and place told, and a second command encodes nothing again", async () => {
    const words = ["trajectory", ...pair, "--codes", out("codes")];
    const first = await saestitch(...words);
    expect(first.stderr.match(/codes of .*: [\d.]+ [KM]iB in .*codes.*, encoded now/g)).toHaveLength(2);
    const second = await saestitch(...words);
    expect(second.stderr.match(/nothing was encoded again/g)).toHaveLength(2);
    expect(second.stdout).toBe(first.stdout);
    const [folder, file] = [basename(world.folder), basename(world.activations)];
    const sameFile = `${world.folder}/../${folder}/${file}`;
    const renamed = words.map((word) => (word === world.activations ? sameFile : word));
    expect((await saestitch(...renamed)).stderr.match(/nothing was encoded again/g)).toHaveLength(2);
    expect((await saestitch(...words, "--exclude-tokens", "none")).stderr).toContain("encoded now");
  });

  test("that are damaged are refused by name", async () => {
    const folder = out("damaged");
    await saestitch("trajectory", ...pair, "--codes", folder);
    const [first] = await readdir(folder);
    const [file] = (await readdir(join(folder, first))).filter((name) => name.startsWith("rows-"));
    const path = join(folder, first, file);
    const bytes = await readFile(path);
    bytes[bytes.length - 5] ^= 1;
    await writeFile(path, bytes);
    const { code, stdout, stderr } = await saestitch("trajectory", ...pair, "--codes", folder);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(file);
  });
});

describe("trajectory", () => {
  test("begins at the smaller SAE and ends at the larger, under any order", async () => {
    const [smaller, larger] = (await json("evaluate", ...pair)).saes;
    for (const order of ["cosine", "gain", "random"]) {
      const { path, ends } = await json("trajectory", ...pair, "--order", order, "--bias", "donor");
      expect(path.mseBy.host[0]).toBeCloseTo(smaller.mse, 9);
      expect(Math.abs(path.mse.at(-1) / larger.mse - 1)).toBeLessThan(1e-6);
      expect([path.latents[0], path.latents.at(-1)]).toEqual([smaller.latents, larger.latents]);
      expect(path.l0.at(-1)).toBeCloseTo(larger.l0, 9);
      expect(Math.abs(ends.end.relativeDifference)).toBeLessThan(1e-6);
    }
  });

  test("writes a plan that can be run again, changed by hand, or refused", async () => {
    const folder = out("way");
    const written = await json("trajectory", ...pair, "--out", folder);
    const [fields, documented] = await bothFields("trajectory", written);
    expect(fields).toEqual(documented);
    expect((await readdir(folder)).sort()).toEqual([
      "plan.json",
      "run.json",
      "trajectory.parquet",
      "trajectory.svg",
    ]);
    const rows = await parquetRows(join(folder, "trajectory.parquet"));
    expect(rows.map(({ mse }) => mse)).toEqual(written.path.mse);

    const plan = join(folder, "plan.json");
    expect((await json("trajectory", ...pair, "--plan", plan)).path).toEqual(written.path);
    const read = JSON.parse(await readFile(plan, "utf8"));
    const edited = async (steps: unknown[]) => {
      await writeFile(out("edited.json"), JSON.stringify({ ...read, steps }));
      return saestitch("trajectory", ...pair, "--plan", out("edited.json"), "--json");
    };
    const half = await edited(read.steps.slice(0, 5));
    expect(JSON.parse(half.stdout).path.mse).toEqual(written.path.mse.slice(0, 6));
    expect(JSON.parse(half.stdout).ends.end).toBeNull();
    for (const [steps, complaint] of [
      [[{ insert: [world.m] }], `latent ${world.m}`],
      [[{ insert: [3] }, { insert: [3] }], "latent 3"],
      [[{ insert: [0.5] }], "0.5"],
    ] as const) {
      const { code, stdout, stderr } = await edited([...steps]);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toContain(complaint);
    }
    const swapped = await saestitch(
      "trajectory",
      world.larger,
      world.smaller,
      ...pair.slice(2),
      "--plan",
      plan,
    );
    expect(swapped.code).toBe(1);
  });

  test("prints the way, its ends and its rises in 80 columns", async () => {
    const { code, stdout } = await saestitch("trajectory", ...pair);
    expect(code).toBe(0);
    for (const title of ["The way", "Does it end where it should?", "Does the error fall at every step?"])
      expect(stdout).toContain(title);
    expect(narrow(stdout)).toEqual([]);
  });
});

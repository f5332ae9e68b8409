import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeToyWorld } from "@saestitch/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentedFields } from "./cli-documented-fields.ts";
import {
  parquetRows,
  program,
  saestitch,
  start,
  type WorldOnDisk,
  writeSae,
  writeTensors,
  writeWorld,
} from "./cli-world.ts";

let world: WorldOnDisk;
let pair: string[];
beforeAll(async () => {
  world = await writeWorld();
  pair = [world.smaller, world.larger, "--activations", world.activations];
});
afterAll(() => world.remove());

const out = (name: string) => join(world.folder, name);

/** What is left of a run that the times of day have no part in. */
async function lastingPart(folder: string) {
  const record = JSON.parse(await readFile(join(folder, "run.json"), "utf8"));
  return { ...record, started: "", finished: "", command: [] };
}

const commands = [
  "inspect",
  "label",
  "families",
  "trajectory",
  "stitch",
  "evaluate",
  "train",
  "meta",
  "decompose",
  "hooks",
  "capture",
  "examples",
  "doctor",
  "demo",
];

describe("the command line", () => {
  test("without a command, or with --help, lists the commands", async () => {
    for (const words of [[], ["--help"], ["help"]]) {
      const { code, stdout } = await saestitch(...words);
      expect(code).toBe(0);
      for (const command of commands) expect(stdout).toMatch(new RegExp(`^ {2}${command} `, "m"));
    }
  });

  test("--version prints the version of the package", async () => {
    const { version } = JSON.parse(await readFile(new URL("../cli/package.json", import.meta.url), "utf8"));
    expect(await saestitch("--version")).toEqual({ code: 0, stdout: `saestitch ${version}\n`, stderr: "" });
  });

  test.each(commands)("%s --help shows usage, options and examples in 80 columns", async (command) => {
    const { code, stdout } = await saestitch(command, "--help");
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: saestitch ${command}`);
    expect(stdout.match(/^ {2}saestitch /gm)?.length).toBeGreaterThanOrEqual(2);
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  test("what is mistyped exits with 2, nothing on standard output and the nearest name", async () => {
    for (const [words, hint] of [
      [["lable"], "did you mean label?"],
      [["label", "a", "b", "--activatoins", "c"], "did you mean --activations?"],
      [["label", "a", "b"], "--activations PATH is missing"],
      [["label", "a", "--activations", "c"], "<larger> is missing"],
      [["label", "a", "b", "c", "--activations", "c"], '"c" is one argument too many'],
      [["label", "a", "b", "--activations", "c", "--fdr", "2"], "--fdr must be above 0 and below 1"],
      [["label", "a", "b", "--activations", "c", "--resume"], "--resume needs --out"],
      [["demo", "--seed", "x"], "--seed must be a whole number"],
    ] as const) {
      const { code, stdout, stderr } = await saestitch(...words);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain(hint);
    }
  });

  test("a file that is missing exits with 1 and is named, without a stack", async () => {
    for (const words of [
      ["inspect", "no-such-sae"],
      ["label", "no-such-sae", world.larger, "--activations", world.activations],
      ["label", world.smaller, world.larger, "--activations", "no-such-activations"],
    ]) {
      const { code, stdout, stderr } = await saestitch(...words);
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(new RegExp(`^saestitch ${words[0]}: .*no-such-`));
      expect(stderr).not.toMatch(/^ +at /m);
    }
  });

  test("SAESTITCH_DEBUG=1 adds the stack", async () => {
    const { stderr } = await start(["inspect", "no-such-sae"], { SAESTITCH_DEBUG: "1" }).finished;
    expect(stderr).toMatch(/^ +at /m);
  });

  test("a reader that goes away is no failure", async () => {
    const { child, finished } = start(["inspect", world.larger, "--json"]);
    child.stdout.destroy();
    const { code, stderr } = await finished;
    expect([code, stderr]).toEqual([0, ""]);
  });
});

describe("inspect", () => {
  test("says what an SAE is", async () => {
    const { code, stdout } = await saestitch("inspect", world.larger);
    expect(code).toBe(0);
    for (const fact of [
      /relu \("standard" in the file\)/,
      new RegExp(`latents m +${world.m}`),
      new RegExp(`width d +${world.d}`),
      /blocks\.0\.hook_resid_post/,
      /decoder norms +min 1\.0000/,
    ])
      expect(stdout).toMatch(fact);
  });

  test("--json with activations agrees with label on L0, MSE and variance explained", async () => {
    const inspected = JSON.parse(
      (
        await saestitch(
          "inspect",
          world.larger,
          "--activations",
          world.activations,
          "--variance-formula",
          "all",
          "--json",
        )
      ).stdout,
    );
    const labelled = JSON.parse((await saestitch("label", ...pair, "--json")).stdout);
    const { l0, mse, varianceExplained } = inspected.measured;
    expect({ l0, mse, varianceExplained: varianceExplained.standard, hash: inspected.hash }).toEqual({
      l0: labelled.larger.l0,
      mse: labelled.larger.mse,
      varianceExplained: labelled.larger.varianceExplained,
      hash: labelled.larger.hash,
    });
    expect(inspected.measured.excluded).toEqual(labelled.excluded);
    expect(Object.keys(varianceExplained)).toHaveLength(4);
    expect(Object.keys(inspected).sort()).toEqual(
      (await documentedFields("`saestitch inspect … --json`")).sort(),
    );
  });

  test("warns when the measured L0 is far from the stated one", async () => {
    const folder = out("overstated");
    await writeSae(folder, makeToyWorld({ d: world.d, documents: 1 }).larger);
    await writeTensors(join(folder, "sparsity.safetensors"), [
      { name: "sparsity", dtype: "F32", shape: [world.m], values: new Float32Array(world.m).fill(-1) },
    ]);
    const { stdout } = await saestitch("inspect", folder, "--activations", world.activations);
    expect(stdout.replaceAll("\n", " ")).toMatch(
      /warning: The measured L0 of [\d.]+ is off the [\d.]+ that sparsity\.safetensors states/,
    );
    expect((await saestitch("inspect", folder)).stdout).not.toContain("warning");
  });
});

describe("label", () => {
  test("prints tables no wider than 80 columns when it is no terminal", async () => {
    const { code, stdout, stderr } = await saestitch("label", ...pair);
    expect(code).toBe(0);
    for (const title of [
      "Sample",
      "SAEs",
      "Latents of the larger SAE",
      "AUC ↑",
      "published threshold",
      "Most novel latents",
    ])
      expect(stdout).toContain(title);
    const shown = stdout
      .replaceAll(world.folder, "")
      .replace(/\p{Mn}/gu, "")
      .split("\n");
    expect(shown.filter((line) => line.length > 80)).toEqual([]);
    expect(stderr).toBe("");
  });

  test("--json prints the documented document, columns of length m", async () => {
    const { code, stdout, stderr } = await saestitch("label", ...pair, "--json");
    expect([code, stderr]).toEqual([0, ""]);
    const document = JSON.parse(stdout);
    expect(document.schema).toBe("saestitch.label/1");
    expect(flattened(document)).toEqual(
      [
        ...(await documentedFields("`saestitch label … --json`")).filter(
          (name) => !/^(smaller|larger|latents|predictor)$/.test(name),
        ),
        ...(await documentedFields("`smaller` and `larger`")).flatMap((name) => [
          `smaller.${name}`,
          `larger.${name}`,
        ]),
        ...(await documentedFields("`latents`")).map((name) => `latents.${name}`),
        ...(await documentedFields("`predictor`")).map((name) => `predictor.${name}`),
      ].sort(),
    );
    for (const column of Object.values(document.latents)) expect(column).toHaveLength(world.m);
    expect(Object.values<number>(document.verdicts).reduce((sum, count) => sum + count)).toBe(world.m);
    expect(document.excluded).toEqual({ rows: 60, tokens: [1] });
    expect(document.tokens).toBe(document.activations.rows - 60);
    expect(document.documents).toBe(60);
  });

  test("--out writes a Parquet file equal to the JSON document, a picture, and a record", async () => {
    const folder = out("labels");
    const { stdout } = await saestitch("label", ...pair, "--json", "--out", folder);
    const { latents } = JSON.parse(stdout);
    expect((await readdir(folder)).sort()).toEqual(["label.svg", "latents.parquet", "run.json"]);
    const rows = await parquetRows(join(folder, "latents.parquet"));
    expect(rows.map(({ latent }) => latent)).toEqual([...rows.keys()]);
    for (const [name, column] of Object.entries(latents))
      expect(rows.map((row) => row[name])).toEqual(column);
    const picture = await readFile(join(folder, "label.svg"), "utf8");
    expect(picture).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    const record = JSON.parse(await readFile(join(folder, "run.json"), "utf8"));
    const { latents: _, ...summary } = JSON.parse(stdout);
    expect(record.result).toEqual(summary);
    expect(Object.keys(record).sort()).toEqual((await documentedFields("`--out DIR`", "`run.json`")).sort());
  });

  test("two runs give the same files but for the times, whatever the number of threads", async () => {
    const folders = [out("first"), out("second")];
    for (const [i, folder] of folders.entries())
      await saestitch("label", ...pair, "--out", folder, "--threads", String(i + 1));
    for (const name of ["latents.parquet", "label.svg"])
      expect(await readFile(join(folders[0], name))).toEqual(await readFile(join(folders[1], name)));
    const [first, second] = await Promise.all(folders.map(lastingPart));
    expect({ ...first, versions: {} }).toEqual({ ...second, versions: {} });
  });

  test("refuses a folder with a finished labelling, unless --force", async () => {
    const folder = out("finished");
    expect((await saestitch("label", ...pair, "--out", folder)).code).toBe(0);
    const before = await readFile(join(folder, "run.json"), "utf8");
    const refused = await saestitch("label", ...pair, "--out", folder);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toContain("--force");
    expect(await readFile(join(folder, "run.json"), "utf8")).toBe(before);
    const impossible = [...pair, "--gating", "joint", "--out", folder, "--force"];
    expect((await saestitch("label", ...impossible)).code).toBe(1);
    expect(await readdir(folder)).toContain("run.json");
    expect((await saestitch("label", ...pair, "--out", folder, "--force")).code).toBe(0);
  });

  test("refuses SAEs and activations of different width", async () => {
    const other = makeToyWorld({ d: 64, documents: 2 });
    await writeSae(out("narrow"), other.smaller);
    const values = new Float32Array(64);
    await writeTensors(out("narrow.safetensors"), [
      { name: "activations", dtype: "F32", shape: [1, 64], values },
    ]);
    for (const words of [
      [out("narrow"), world.larger, "--activations", world.activations],
      [world.smaller, world.larger, "--activations", out("narrow.safetensors")],
    ]) {
      const { code, stdout, stderr } = await saestitch("label", ...words, "--out", out("never"));
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/64.*96|96.*64/);
      expect(existsSync(out("never"))).toBe(false);
    }
  });

  test("refuses an empty sample, and one of which every row is left out", async () => {
    await writeTensors(out("empty.safetensors"), [
      { name: "activations", dtype: "F32", shape: [0, world.d], values: new Float32Array(0) },
    ]);
    const empty = await saestitch(
      "label",
      world.smaller,
      world.larger,
      "--activations",
      out("empty.safetensors"),
    );
    expect([empty.code, empty.stderr]).toEqual([1, expect.stringContaining("holds no activations")]);
    const excluded = await saestitch("label", ...pair, "--tokens", "1", "--exclude-tokens", "1");
    expect([excluded.code, excluded.stderr]).toEqual([1, expect.stringContaining("1 are excluded")]);
  });

  test("refuses NaN in activations, counts the rows with --skip-nonfinite", async () => {
    const values = new Float32Array(40 * world.d).fill(0.5);
    values[17 * world.d + 3] = Number.NaN;
    values[23 * world.d] = Number.POSITIVE_INFINITY;
    await writeTensors(out("nan.safetensors"), [
      { name: "activations", dtype: "F32", shape: [40, world.d], values },
    ]);
    const words = ["label", world.smaller, world.larger, "--activations", out("nan.safetensors"), "--json"];
    const refused = await saestitch(...words);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toMatch(/nan\.safetensors.*row 17/);
    const { nonFinite, tokens } = JSON.parse((await saestitch(...words, "--skip-nonfinite")).stdout);
    expect([nonFinite, tokens]).toEqual([2, 38]);
  });

  test("warns when the first SAE has more latents, and labels all the same", async () => {
    const { code, stderr } = await saestitch("label", world.larger, world.smaller, ...pair.slice(2));
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: .*swap/);
  });

  test("interrupted and resumed it gives the same bits as never interrupted", async () => {
    const [whole, broken] = [out("whole"), out("broken")];
    const words = ["label", ...pair, "--batch-rows", "16"];
    expect((await saestitch(...words, "--out", whole)).code).toBe(0);

    const { child, finished } = start([...words, "--out", broken, "--checkpoint-every", "0"]);
    const checkpoint = join(broken, "label.checkpoint.safetensors");
    while (!existsSync(checkpoint) && child.exitCode === null) await delay(2);
    child.kill("SIGINT");
    const interrupted = await finished;
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(
      /Interrupted after \d+ of \d+ rows\. Go on with: saestitch label .* --resume\n$/,
    );
    expect(await readdir(broken)).toEqual(["label.checkpoint.safetensors"]);

    const heedless = await saestitch(...words, "--out", broken);
    expect([heedless.code, heedless.stderr]).toEqual([1, expect.stringContaining("--resume")]);
    const different = await saestitch("label", ...pair, "--batch-rows", "8", "--out", broken, "--resume");
    expect([different.code, different.stderr]).toEqual([
      1,
      expect.stringContaining("batchRows was 16, now 8"),
    ]);

    expect((await saestitch(...words, "--out", broken, "--resume")).code).toBe(0);
    expect((await readdir(broken)).sort()).toEqual(["label.svg", "latents.parquet", "run.json"]);
    expect(await readFile(join(broken, "latents.parquet"))).toEqual(
      await readFile(join(whole, "latents.parquet")),
    );
    const [resumed, uninterrupted] = [await lastingPart(broken), await lastingPart(whole)];
    expect(resumed.resumedAtRow).toBeGreaterThan(0);
    expect(resumed.result).toEqual(uninterrupted.result);
  });

  test("--resume without a checkpoint begins anew and says so", async () => {
    const { code, stderr } = await saestitch("label", ...pair, "--out", out("anew"), "--resume");
    expect([code, stderr]).toEqual([0, expect.stringContaining("no checkpoint")]);
  });

  test("a broken checkpoint is refused by name", async () => {
    await mkdir(out("damaged"));
    await writeFile(join(out("damaged"), "label.checkpoint.safetensors"), "not a checkpoint");
    const { code, stderr } = await saestitch("label", ...pair, "--out", out("damaged"), "--resume");
    expect([code, stderr]).toEqual([1, expect.stringContaining("label.checkpoint.safetensors")]);
  });

  test("a full disk leaves nothing half-written", () => {
    const folder = out("full");
    // The shell's limit on the size of files, in units of 512 or 1024 bytes, is below that of any output.
    const limited = ["-c", 'ulimit -f 4; exec "$0" "$@"', process.execPath, program];
    const { status, stderr } = spawnSync("sh", [...limited, "label", ...pair, "--out", folder], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^saestitch label: Cannot write .*full/);
    expect(existsSync(folder)).toBe(false);
  });
});

/** Paths of all fields of a document, but those inside values that the documentation describes in one row. */
function flattened(document: Record<string, unknown>): string[] {
  const whole = /^(options|verdicts|predictor\.(published|null|interval\.\w+)|latents\.\w+)$/;
  const walk = (value: unknown, path: string): string[] =>
    value === null || typeof value !== "object" || Array.isArray(value) || whole.test(path)
      ? [path]
      : Object.entries(value).flatMap(([name, member]) =>
          walk(member, path === "" ? name : `${path}.${name}`),
        );
  return walk(document, "").sort();
}

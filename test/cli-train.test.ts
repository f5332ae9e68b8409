import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readSae } from "@saestitch/core/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentedFields } from "./cli-documented-fields.ts";
import { program, saestitch, start, type WorldOnDisk, writeTensors, writeWorld } from "./cli-world.ts";

let world: WorldOnDisk;
let sample: string[];
beforeAll(async () => {
  world = await writeWorld();
  sample = ["--activations", world.activations];
});
afterAll(() => world.remove());

const out = (name: string) => join(world.folder, name);
const short = ["--k", "3", "--batch-rows", "64", "--steps", "20"];
const weights = (folder: string, sae: string) => readFile(join(out(folder), sae, "sae_weights.safetensors"));
const documented = (heading: string) => documentedFields(heading, "", "train-output.md");

/** Train into a folder of this name. */
function train(folder: string, ...words: string[]) {
  return saestitch("train", ...sample, ...words, "--out", out(folder));
}

/** The lines of a log. */
async function logOf(folder: string): Promise<Record<string, number>[]> {
  const text = await readFile(join(out(folder), "log.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** Start to train, and stop with Ctrl-C once there is a checkpoint. */
async function trainInterrupted(folder: string, ...words: string[]) {
  const { child, finished } = start([
    "train",
    ...sample,
    ...words,
    "--out",
    out(folder),
    "--checkpoint-every",
    "0",
  ]);
  while (!existsSync(join(out(folder), "checkpoint.safetensors")) && child.exitCode === null) await delay(2);
  child.kill("SIGINT");
  return finished;
}

describe("train", () => {
  test("--help shows usage, options and examples in 80 columns", async () => {
    const { code, stdout } = await saestitch("train", "--help");
    expect(code).toBe(0);
    expect(stdout).toContain("Usage: saestitch train --activations PATH --widths M,… --out DIR");
    expect(stdout.match(/^ {2}saestitch train /gm)?.length).toBeGreaterThanOrEqual(2);
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
    expect((await saestitch("--help")).stdout).toMatch(/^ {2}train {2}/m);
  });

  test("writes an SAE of each width, the log, a picture and records, all documented", async () => {
    const { code, stdout } = await train("family", "--widths", "32,64", ...short, "--json");
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect((await readdir(out("family"))).sort()).toEqual(["32", "64", "log.jsonl", "run.json", "train.svg"]);
    expect((await readdir(join(out("family"), "32"))).sort()).toEqual([
      "cfg.json",
      "sae_weights.safetensors",
      "training.json",
    ]);
    expect(Object.keys(document).sort()).toEqual((await documented("`saestitch train … --json`")).sort());
    expect(Object.keys(document.saes[0]).sort()).toEqual((await documented("An entry of `saes`")).sort());
    expect(Object.keys(document.data).sort()).toEqual((await documented("`data`")).sort());
    expect(document.saes.map(({ latents }: { latents: number }) => latents)).toEqual([32, 64]);
    expect(document.trainedTokens).toBe(20 * 64);

    const log = await logOf("family");
    expect(log.map(({ step, latents }) => [step, latents])).toEqual(
      Array.from({ length: 40 }, (_, i) => [1 + Math.floor(i / 2), i % 2 === 0 ? 32 : 64]),
    );
    expect(Object.keys(log[0]).sort()).toEqual(
      (await documented("`log.jsonl`")).filter((name) => name !== "sparsityWeight").sort(),
    );
    expect(document.saes[1].final).toEqual(log[39]);
    expect(log[39].mse).toBeLessThan(log[1].mse);

    const record = JSON.parse(await readFile(join(out("family"), "run.json"), "utf8"));
    expect(Object.keys(record).sort()).toEqual((await documented("`run.json`")).sort());
    expect(record.result).toEqual(document);
    expect(record.outputs.map(({ name }: { name: string }) => name).sort()).toEqual(
      ["32", "64"]
        .flatMap((sae) =>
          ["cfg.json", "sae_weights.safetensors", "training.json"].map((file) => `${sae}/${file}`),
        )
        .concat("log.jsonl", "train.svg"),
    );
    const training = JSON.parse(await readFile(join(out("family"), "64", "training.json"), "utf8"));
    expect(Object.keys(training).sort()).toEqual((await documented("`training.json`")).sort());
    expect(training.sae).toEqual(document.saes[1]);
    expect(training.recipe.inputs.activations.files[0].sha256).toMatch(/^[0-9a-f]{64}$/);
    const picture = await readFile(join(out("family"), "train.svg"), "utf8");
    expect(picture).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(picture).not.toContain("NaN");
  });

  test("what it writes can be inspected, labelled and stitched, and measures there what train said", async () => {
    const [narrow, wide] = [join(out("family"), "32"), join(out("family"), "64")];
    const inspected = JSON.parse((await saestitch("inspect", wide, ...sample, "--json")).stdout);
    const { sae } = JSON.parse(await readFile(join(wide, "training.json"), "utf8"));
    expect(inspected.measured.mse).toBeCloseTo(sae.mse, 8);
    expect(inspected.measured.l0).toBe(sae.l0);
    const labelled = await saestitch("label", narrow, wide, ...sample, "--json");
    expect([labelled.code, labelled.stderr]).toEqual([0, ""]);
    expect(JSON.parse(labelled.stdout).latents.verdict).toHaveLength(64);
    const { finished } = start(
      ["stitch", narrow, wide, ...sample, "--latents", "40", "--out", out("stitched")],
      {
        SAESTITCH_CACHE: out("cache"),
      },
    );
    expect((await finished).code).toBe(0);
  });

  test("prints its table in 80 columns, and says on the way how it goes", async () => {
    const { code, stdout, stderr } = await train(
      "printed",
      "--widths",
      "32,64",
      ...short,
      "--log-every",
      "0",
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/latents +L0 +MSE ↓ +var\. expl\. ↑ +dead ↓/);
    expect(stderr).toMatch(/^training: \d+ % .* tokens\/s .* left$/m);
    expect(stderr).toMatch(/^ {2}64 +MSE ↓ [\d.]+ +var\. expl\. ↑ -?[\d.]+ +L0 3\.0 +dead ↓ 0\.0 %$/m);
    const shown = stdout.replaceAll(world.folder, "").split("\n");
    expect(shown.filter((line) => line.length > 80)).toEqual([]);
  });

  test("an SAE has the same bytes alone and beside others, and with any number of threads", async () => {
    await train("alone", "--widths", "64", ...short, "--threads", "1");
    expect(await weights("alone", "64")).toEqual(await weights("family", "64"));
  });

  test("several seeds make several SAEs of each width", async () => {
    const { code } = await train("seeds", "--widths", "32", "--seeds", "0,7", ...short);
    expect(code).toBe(0);
    expect(await readdir(out("seeds"))).toEqual(expect.arrayContaining(["32-seed0", "32-seed7"]));
    expect(await weights("seeds", "32-seed0")).toEqual(await weights("family", "32"));
    expect(await weights("seeds", "32-seed7")).not.toEqual(await weights("family", "32"));
  });

  test.each([
    ["topk", ["--k", "3"], "topk"],
    ["matryoshka", ["--k", "3", "--prefixes", "1/4,0.5,1"], "jumprelu"],
    ["relu", ["--target-l0", "5", "--l1", "0.1"], "relu"],
    ["jumprelu", ["--target-l0", "5", "--bandwidth", "0.1"], "jumprelu"],
    ["gated", ["--l1", "0.1", "--penalty-warm-up-steps", "5"], "gated"],
  ])("trains the architecture %s, which is read as what it is", async (architecture, words, activation) => {
    const folder = `architecture-${architecture}`;
    const { code, stderr } = await train(
      folder,
      "--widths",
      "32",
      "--architecture",
      architecture,
      ...words,
      "--steps",
      "10",
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining("wrote")]);
    expect((await readSae(join(out(folder), "32"))).activation.kind).toBe(activation);
    const [line] = await logOf(folder);
    expect("sparsityWeight" in line).toBe(["relu", "jumprelu", "gated"].includes(architecture));
  });

  test("--residual-of trains on what an SAE leaves unexplained, and says so in the files", async () => {
    const base = join(out("family"), "64");
    const { code, stdout } = await train(
      "boost",
      "--widths",
      "16",
      ...short,
      "--residual-of",
      base,
      "--model",
      "tiny",
      "--hook",
      "blocks.2.hook_resid_post",
      "--json",
    );
    expect(code).toBe(0);
    const { residualOf, saes } = JSON.parse(stdout);
    expect(residualOf.location).toBe(base);
    const { sae } = JSON.parse(await readFile(join(base, "training.json"), "utf8"));
    expect(saes[0].mse).toBeLessThan(sae.mse);
    const { metadata } = JSON.parse(await readFile(join(out("boost"), "16", "cfg.json"), "utf8"));
    expect(metadata.warnings[0]).toContain("leaves unexplained");
    expect([metadata.model_name, metadata.hook_name]).toEqual(["tiny", "blocks.2.hook_resid_post"]);
  });
});

describe("a training that is cut off", () => {
  const long = ["--widths", "32,48", "--k", "3", "--batch-rows", "64", "--steps", "150"];

  test("goes on bit for bit with --resume, its log without gaps or doubles", async () => {
    expect((await train("whole", ...long)).code).toBe(0);
    const interrupted = await trainInterrupted("broken", ...long);
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(
      /Interrupted after \d+ of 150 steps\. Go on with: saestitch train .* --resume\n$/,
    );
    expect((await readdir(out("broken"))).sort()).toEqual(["checkpoint.safetensors", "log.jsonl"]);
    // As after a power cut: lines beyond the checkpoint, the last one not whole.
    const log = await readFile(join(out("broken"), "log.jsonl"), "utf8");
    await writeFile(
      join(out("broken"), "log.jsonl"),
      `${log}{"step":149,"latents":32,"seed":0}\n{"step":150`,
    );

    const halfWritten = `checkpoint.safetensors.${crypto.randomUUID()}.tmp`;
    await writeFile(join(out("broken"), halfWritten), "PK");

    const heedless = await train("broken", ...long);
    expect([heedless.code, heedless.stderr]).toEqual([1, expect.stringContaining("--resume")]);
    expect((await train("broken", ...long, "--resume")).code).toBe(0);
    for (const sae of ["32", "48"]) expect(await weights("broken", sae)).toEqual(await weights("whole", sae));
    expect((await readdir(out("broken"))).sort()).toEqual(["32", "48", "log.jsonl", "run.json", "train.svg"]);
    const [resumed, whole] = [await logOf("broken"), await logOf("whole")];
    const figures = ({ seconds, tokensPerSecond, ...rest }: Record<string, number>) => rest;
    expect(resumed.map(figures)).toEqual(whole.map(figures));
    expect(await readFile(join(out("broken"), "train.svg"))).toEqual(
      await readFile(join(out("whole"), "train.svg")),
    );
    const record = JSON.parse(await readFile(join(out("broken"), "run.json"), "utf8"));
    expect(record.resumedAtStep).toBeGreaterThan(0);
  });

  test("goes on only with the options and the activations it was begun with, and says which differ", async () => {
    await trainInterrupted("left", ...long);
    const before = await readFile(join(out("left"), "checkpoint.safetensors"));
    const differing = [
      [["--learning-rate", "0.5"], /rate was 0\.00\d+, now 0\.5/],
      [["--batch-rows", "32"], /batchRows was 64, now 32/],
      [["--tokens", "1000"], /rows was .*, now .*1000/],
      [["--widths", "32,49"], /latents was 48, now 49/],
    ] as const;
    for (const [words, complaint] of differing) {
      const { code, stderr } = await train("left", ...long, ...words, "--resume");
      expect([code, stderr]).toEqual([1, expect.stringMatching(complaint)]);
      expect(stderr).toContain("--force");
    }
    const values = new Float32Array(2000 * world.d).map((_, i) => Math.sin(i));
    await writeTensors(out("other.safetensors"), [
      { name: "activations", dtype: "F32", shape: [2000, world.d], values },
    ]);
    const other = ["--activations", out("other.safetensors"), "--out", out("left"), "--resume"];
    const { code, stderr } = await saestitch("train", ...long, ...other);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/activations was "[0-9a-f]{64}", now/)]);
    expect(await readFile(join(out("left"), "checkpoint.safetensors"))).toEqual(before);
  });

  test("keeps its checkpoint when the disk is full while the next is written", async () => {
    const before = await readFile(join(out("left"), "checkpoint.safetensors"));
    // The shell's limit on the size of files, in units of 512 or 1024 bytes, is below that of a checkpoint and above that of the log.
    const limited = ["-c", 'ulimit -f 120; exec "$0" "$@"', process.execPath, program, "train", ...sample];
    const words = [...limited, ...long, "--out", out("left"), "--resume", "--checkpoint-every", "0"];
    const { status, stderr } = spawnSync("sh", words, { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^saestitch train: Cannot write .*checkpoint\.safetensors: .*(full|larger)/m);
    expect((await readdir(out("left"))).sort()).toEqual(["checkpoint.safetensors", "log.jsonl"]);
    expect(await readFile(join(out("left"), "checkpoint.safetensors"))).toEqual(before);
    expect((await train("left", ...long, "--resume")).code).toBe(0);
    expect(await weights("left", "48")).toEqual(await weights("whole", "48"));
  });

  test("begins anew, and says so, where --resume finds no checkpoint", async () => {
    const { code, stderr } = await train("anew", "--widths", "32", ...short, "--resume");
    expect([code, stderr]).toEqual([0, expect.stringContaining("no checkpoint in")]);
  });

  test("refuses a broken checkpoint by name", async () => {
    await mkdir(out("damaged"));
    await writeFile(join(out("damaged"), "checkpoint.safetensors"), "not a checkpoint");
    const { code, stderr } = await train("damaged", "--widths", "32", ...short, "--resume");
    expect([code, stderr]).toEqual([1, expect.stringContaining("checkpoint.safetensors")]);
  });

  test("stops where it diverges, says at which step and of which SAE, and keeps the last good checkpoint", async () => {
    const words = ["--widths", "32", ...short, "--learning-rate", "1e30", "--warm-up-steps", "0"];
    const { code, stdout, stderr } = await train("diverged", ...words, "--checkpoint-every", "0");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/the SAE with 32 latents \(seed 0\) diverged.* step \d+/);
    expect(stderr).toContain("--learning-rate");
    expect(
      (await readdir(out("diverged"))).filter((name) => name.endsWith("json") || /^\d/.test(name)),
    ).toEqual([]);
    expect((await train("diverged", "--widths", "32", ...short, "--force")).code).toBe(0);
  });
});

describe("train refuses", () => {
  test("what contradicts itself, with exit code 2 and nothing written", async () => {
    for (const [words, complaint] of [
      [["--widths", "32", "--k", "32"], "--k 32 must be less than"],
      [["--widths", "32,32", "--k", "3"], "--widths must not name 32 twice"],
    ] as const) {
      const { code, stdout, stderr } = await train("never", ...words);
      expect([words, code, stdout]).toEqual([words, 2, ""]);
      expect(stderr).toContain(complaint);
    }
    const { code, stderr } = await saestitch("train", ...sample, "--widths", "32", "--resume");
    expect([code, stderr]).toEqual([2, expect.stringContaining("--out DIR is missing")]);
    expect(existsSync(out("never"))).toBe(false);
  });

  test("a sample that is smaller than a batch, or holds NaN", async () => {
    const few = await train("never", "--widths", "32", ...short, "--batch-rows", "100000");
    expect([few.code, few.stderr]).toEqual([
      1,
      expect.stringMatching(/rows, fewer than the 100000 of one batch/),
    ]);
    const values = new Float32Array(200 * world.d).map((_, i) => Math.cos(i * i));
    values[117 * world.d + 3] = Number.NaN;
    const shape = [200, world.d];
    await writeTensors(out("nan.safetensors"), [{ name: "activations", dtype: "F32", shape, values }]);
    const words = ["train", "--activations", out("nan.safetensors"), "--widths", "32", ...short];
    const refused = await saestitch(...words, "--out", out("never"));
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/nan\.safetensors.*row 117/)]);
    expect(existsSync(out("never"))).toBe(false);
    const skipped = await saestitch(...words, "--out", out("skipped"), "--skip-nonfinite", "--json");
    expect(skipped.code).toBe(0);
    expect(JSON.parse(skipped.stdout).saes[0].tokens).toBe(199);
  });

  test("a folder that holds something else, whatever is forced", async () => {
    const taken = out("taken");
    await mkdir(taken);
    await writeFile(join(taken, "thesis.tex"), "years of work");
    for (const words of [[], ["--force"]]) {
      const { code, stderr } = await train("taken", "--widths", "32", ...short, ...words);
      expect([code, stderr]).toEqual([1, expect.stringContaining("holds something else (thesis.tex)")]);
    }
    expect(await readdir(taken)).toEqual(["thesis.tex"]);
  });

  test("a folder that holds a finished training, unless --force, which replaces all of it", async () => {
    const refused = await train("printed", "--widths", "32", ...short);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("holds a finished training")]);
    expect(await readdir(out("printed"))).toContain("64");
    expect((await train("printed", "--widths", "16", ...short, "--force")).code).toBe(0);
    expect((await readdir(out("printed"))).sort()).toEqual(["16", "log.jsonl", "run.json", "train.svg"]);
  });
});

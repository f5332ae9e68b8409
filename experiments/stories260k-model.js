import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { excludeTokens, measureReconstructions } from "@saestitch/core";
import { openActivations, openKernels, readSae } from "@saestitch/core/node";
import {
  lossReport,
  meanAblation,
  measureLoss,
  saeVariant,
  tokenWindows,
  zeroAblation,
} from "@saestitch/models";
import { openModel, openText, openTokenizer } from "@saestitch/models/node";
import { runnerImport } from "vite";

const place = (path) => fileURLToPath(new URL(path, import.meta.url));
/** As the given activations were read: each story begins with BOS and is cut at 512 tokens. */
const reading = { context: 512, bos: true, arrangement: "documents", rest: "drop" };

/** Every fifth story is held out: the file is not in random order. */
const isHeldOut = (story) => story % 5 === 4;

/** Run a command of saestitch. */
export function saestitch(...args) {
  const { status } = spawnSync(process.execPath, [place("../cli/bin/saestitch.js"), ...args, "--quiet"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error(`saestitch ${args.join(" ")} ended with status ${status}`);
}

/**
 * The real language model that the family of SAEs reads, as an ONNX folder in a temporary place, with its activations after the third
 * block on four fifths of the stories (`making`) and on the others (`measuring`), captured by `saestitch capture`. What it is made of lies in the
 * folder that SAESTITCH_DATA names (by default ../shared/data beside the project).
 */
export async function openStoriesModel() {
  const data = resolve(process.env.SAESTITCH_DATA ?? "../shared/data");
  const texts = join(data, "tinystories/tinystories_1000.json");
  for (const path of [texts, join(data, "stories260k")])
    if (!existsSync(path)) throw new Error(`No data at ${path}; SAESTITCH_DATA names its folder`);
  const folder = await mkdtemp(join(tmpdir(), "saestitch-cross-entropy-"));
  const kernels = await openKernels();
  const modelFolder = await writeModel(folder);

  const stories = JSON.parse(await readFile(texts, "utf8"));
  const hookName = "blocks.2.hook_resid_post";
  const opened = [];
  const capture = async (name, holds) => {
    const [text, out] = [join(folder, `${name}.json`), join(folder, name)];
    await writeFile(text, JSON.stringify(stories.filter((_, i) => holds(i))));
    const windows = ["--context", `${reading.context}`, "--rest", reading.rest];
    saestitch("capture", modelFolder, "--hook", hookName, "--text", text, ...windows, "--out", out);
    const activations = await openActivations(out);
    opened.push(activations);
    return { text, path: out, source: excludeTokens(activations, [1]) };
  };
  const making = await capture("making", (story) => !isHeldOut(story));
  const measuring = await capture("measuring", isHeldOut);

  const { model, companion } = await openModel(modelFolder);
  const hook = await model.findHook(hookName);
  const tokenizer = await openTokenizer(companion, modelFolder);
  const windowsOf = async (text, count) => {
    const windows = [];
    for await (const window of tokenWindows((await openText(text)).documents(), tokenizer, reading)) {
      windows.push(window);
      if (windows.length === count) break;
    }
    return windows;
  };

  return {
    kernels,
    folder,
    making,
    given: (size) => readSae(join(data, "stories260k/saes", `${hookName}_${size}`)),
    /** Cross-entropy of the unchanged model over the first stories of the file. */
    async lossOfFirst(count) {
      const sums = await measureLoss(model, hook, await windowsOf(texts, count), []);
      return lossReport(sums).original.crossEntropy;
    },
    /** Error, L0 and losses of SAEs, { name, sae } each, on the first `count` stories held out; by name. */
    async measure(saes, count) {
      const windows = await windowsOf(measuring.text, count);
      const rows = windows.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
      const ofAll = saes.map(({ sae }) => sae);
      const measured = await measureReconstructions(ofAll, measuring.source, kernels, { end: rows });
      const mean = meanAblation(Float32Array.from(measured[0].metrics.mean));
      const variants = saes.map(({ name, sae }) => saeVariant(name, sae, kernels));
      const sums = await measureLoss(model, hook, windows, [zeroAblation(), mean, ...variants]);
      const { original, variants: losses, documents, predictions } = lossReport(sums);
      const byName = new Map(
        saes.map(({ name, sae }, i) => {
          const { mse, l0 } = measured[i].metrics;
          const loss = losses[i + 2];
          return [name, { name, latents: sae.decoder.rows, mse, l0, ...loss, cost: loss.degradation.value }];
        }),
      );
      return { sums, original, ablations: losses.slice(0, 2), documents, predictions, byName };
    },
    async close() {
      await model.close();
      await Promise.all([kernels.close(), ...opened.map((activations) => activations.close())]);
      await rm(folder, { recursive: true });
    },
  };
}

/** Fill the export without weights in fixtures/models from the data, as the tests of models/ do. */
async function writeModel(folder) {
  const path = await mkdtemp(join(folder, "model-"));
  const { module } = await runnerImport(place("../models/test-support/stories260k.ts"), {
    configFile: false,
  });
  await module.writeStories260k(path);
  return path;
}

// Peak memory of the whole process while labelling 200 000 tokens from disk: d = 768, 6 144 against 24 576 latents.
// Aim: at most the weights and 600 MiB.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeSafetensors, label, seededRandom } from "@saestitch/core";
import { openActivations, openKernels, writeAtomically } from "@saestitch/core/node";
import { randomMatrix, syntheticSae } from "./synthetic.js";

const d = 768;
const tokens = 200_000;
const shards = 8;

// What writes the sample must not count, so what labels it is a process of its own.
const sample = process.argv[2];
if (sample === undefined) await inFreshProcess();
else await measure(sample);

async function inFreshProcess() {
  const folder = mkdtempSync(join(tmpdir(), "saestitch-bench-"));
  try {
    const random = seededRandom(3);
    for (let shard = 0; shard < shards; shard++) {
      const { rows, columns, values } = randomMatrix(random, tokens / shards, d);
      await writeAtomically(
        join(folder, `shard-${shard}.safetensors`),
        encodeSafetensors([{ name: "activations", dtype: "F32", shape: [rows, columns], values }]),
      );
    }
    const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), folder], {
      stdio: "inherit",
    });
    process.exitCode = status ?? 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measure(folder) {
  const [smaller, larger] = [syntheticSae(1, d, 6144, 40), syntheticSae(2, d, 24_576, 40)];
  const weights = [smaller, larger].reduce(
    (sum, sae) => sum + 4 * (sae.encoder.values.length + sae.decoder.values.length),
    0,
  );
  const source = await openActivations(folder);
  const kernels = await openKernels();
  const start = performance.now();
  const labels = await label(smaller, larger, source, kernels);
  const seconds = (performance.now() - start) / 1000;
  await kernels.close();
  await source.close();
  const mebibytes = (bytes) => Math.round(bytes / 2 ** 20);
  const peak = process.resourceUsage().maxRSS * 1024;
  console.log(
    `labelling ${labels.tokens} tokens of width ${d} from disk, ${smaller.decoder.rows} → ${larger.decoder.rows} latents, ${kernels.name}`,
  );
  console.log(
    `  ${seconds.toFixed(0)} s, ${Math.round(labels.tokens / seconds)} tokens/s, L0 ${labels.larger.l0.toFixed(0)}`,
  );
  console.log(
    `  weights ${mebibytes(weights)} MiB, peak ${mebibytes(peak)} MiB, peak − weights ${mebibytes(peak - weights)} MiB (aim ≤ 600)`,
  );
}

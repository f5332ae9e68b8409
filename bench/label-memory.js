// Peak memory of the whole process while labelling 200 000 tokens from disk: d = 768, 6 144 against 24 576 latents.
// Aim: at most the weights and 600 MiB.
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeSafetensors, label, normal, seededRandom } from "@saestitch/core";
import { openActivations, openKernels, writeAtomically } from "@saestitch/core/node";
import { syntheticSae } from "./synthetic.js";

const d = 768;
const tokens = 200_000;
const shards = 8;
const folder = await mkdtemp(join(tmpdir(), "saestitch-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const random = seededRandom(3);
for (let shard = 0; shard < shards; shard++) {
  const shape = [tokens / shards, d];
  const values = Float32Array.from({ length: shape[0] * d }, () => normal(random));
  await writeAtomically(
    join(folder, `shard-${shard}.safetensors`),
    encodeSafetensors([{ name: "activations", dtype: "F32", shape, values }]),
  );
}

const smaller = syntheticSae(1, d, 6144, 40);
const larger = syntheticSae(2, d, 24_576, 40);
// Encoder and decoder of these synthetic SAEs are one matrix; a real SAE's are two.
larger.decoder = { ...larger.decoder, values: larger.decoder.values.slice() };
smaller.decoder = { ...smaller.decoder, values: smaller.decoder.values.slice() };
const weights = [smaller, larger].reduce((sum, sae) => sum + 8 * sae.encoder.values.length, 0);

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

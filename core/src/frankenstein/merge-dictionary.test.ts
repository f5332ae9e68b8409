import { expect, test } from "vitest";
import type { ActivationSource } from "../activations/activation-source.ts";
import { codeSample } from "../codes/code-sample.ts";
import { createWasmKernels } from "../kernels/wasm-kernels.ts";
import { measureReconstruction } from "../metrics/measure-reconstruction.ts";
import { makeToyWorld } from "../toy-world/toy-world.ts";
import { DocumentHalves } from "./document-halves.ts";
import { mergeDictionary } from "./merge-dictionary.ts";
import { stitchLatents } from "./stitch-latents.ts";

/** The rows of `source` that fall to the evaluation half, the others excluded. */
function evaluationHalf(source: ActivationSource): ActivationSource {
  return {
    ...source,
    async *batches(options) {
      const halves = new DocumentHalves(0);
      for await (const batch of source.batches(options)) {
        const { activations, documentIds } = batch;
        const excluded = new Uint8Array(activations.rows).fill(1);
        const counted = Array.from(excluded.keys()).filter((i) => batch.excluded?.[i] !== 1);
        const dealt = halves.deal(
          counted.length,
          documentIds && Int32Array.from(counted, (i) => documentIds[i]),
        );
        for (const i of dealt.evaluation.rows) excluded[counted[i]] = 0;
        yield { ...batch, excluded };
      }
    },
  };
}

test.each([
  ["relu", "keep"],
  ["relu", "refit"],
  ["jumprelu", "refit"],
] as const)(
  "the merged SAE of %s latents, directions %s, measures as the dictionary did",
  async (architecture, decoder) => {
    const kernels = await createWasmKernels();
    const { smaller, larger, source } = makeToyWorld({ d: 64, documents: 120, architecture });
    const coded = codeSample([smaller, larger], source, kernels);
    const { pool, dictionary, comparison, row } = await stitchLatents(coded, kernels, {
      latents: 90,
      l0: 2.5,
      decoder,
    });
    const sae = mergeDictionary(pool, dictionary);
    const { metrics } = await measureReconstruction(sae, evaluationHalf(source), kernels);
    const { mse, l0, latents, varianceExplained } = comparison.rows[row];
    expect(sae.decoder.rows).toBe(latents);
    expect(Math.abs(metrics.mse / mse - 1)).toBeLessThan(1e-6);
    expect(Math.abs(metrics.l0 / l0 - 1)).toBeLessThan(1e-6);
    expect(Math.abs(metrics.varianceExplained - varianceExplained)).toBeLessThan(1e-6);
    expect(sae.activation.kind).toBe(
      dictionary.floor > 0 || architecture === "jumprelu" ? "jumprelu" : "relu",
    );
    await kernels.close();
  },
);

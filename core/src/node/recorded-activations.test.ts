import { join } from "node:path";
import { expect, test } from "vitest";
import { realData } from "../../test-support/real-data.ts";
import { collectRows } from "../activations/activation-source.conformance.ts";
import { excludeTokens, findBosToken, nonFiniteRows } from "../activations/exclusion.ts";
import { openActivations } from "./activation-folder.ts";

const { folder, isThere } = realData();

test.skipIf(!isThere)(
  "the recorded activations have their stated rows, of which one BOS per story is found",
  async () => {
    const recorded = await openActivations(join(folder, "activations"));
    expect([recorded.rows, recorded.d, recorded.files.length]).toEqual([413_717, 64, 3]);
    const bos = await findBosToken(recorded);
    expect(bos).toBe(1);
    let rows = 0;
    let excluded = 0;
    let nonFinite = 0;
    const documents = new Set<number>();
    for await (const batch of excludeTokens(recorded, [1]).batches()) {
      rows += batch.activations.rows;
      excluded += batch.excluded?.reduce((sum, mark) => sum + mark, 0) ?? 0;
      nonFinite += nonFiniteRows(batch.activations).length;
      for (const id of batch.documentIds ?? []) documents.add(id);
    }
    expect([rows, excluded, nonFinite, documents.size]).toEqual([413_717, 1000, 0, 1000]);
    await recorded.close();
  },
);

test.skipIf(!isThere)(
  "the recorded float16 activations are the float32 ones of the first stories, rounded",
  async () => {
    const half = await openActivations(join(folder, "activations"));
    const single = await openActivations(join(folder, "activations-f32.safetensors"));
    expect(single.rows).toBe(1495);
    const exact = await collectRows(single);
    const rounded = await collectRows(half, { end: single.rows });
    expect(rounded.documentIds).toEqual(exact.documentIds);
    expect(rounded.tokenIds).toEqual(exact.tokenIds);
    let worst = 0;
    for (let i = 0; i < exact.activations.length; i++) {
      const value = Math.abs(exact.activations[i]);
      // Eleven bits, and steps of 2^-24 near zero.
      const step = Math.max(value * 2 ** -11, 2 ** -25);
      worst = Math.max(worst, Math.abs(rounded.activations[i] - exact.activations[i]) / step);
    }
    expect(worst).toBeLessThanOrEqual(1);
    await Promise.all([half.close(), single.close()]);
  },
);

import { describe, expect, test } from "vitest";
import { memoryFiles } from "../../../test-support/memory-files.ts";
import { everyActivation, randomSae } from "../../../test-support/random-saes.ts";
import { whole } from "../../../test-support/whole.ts";
import { UnsupportedError } from "../../errors.ts";
import { seededRandom } from "../../linalg/random.ts";
import { openSae } from "../open-sae.ts";
import type { Activation, Normalization, Sae } from "../sae.ts";
import { transposedPieces } from "./write-tensors.ts";
import type { SaeWriter } from "./writer.ts";
import { saeWriters } from "./writers.ts";

const [saelens, gemmaScope, dictionaryLearning] = saeWriters;
const d = 7;
const m = 13;

function drawSae(activation: Activation, normalization: Normalization = { kind: "none" }): Sae {
  const sae = randomSae(seededRandom(3), d, m, { activation, normalization });
  return { ...sae, inputBias: new Float32Array(d) };
}

const jumprelu: Activation = {
  kind: "jumprelu",
  threshold: Float32Array.from({ length: m }, (_, j) => 0.1 * j),
};

/** A gate whose magnitude is its pre-activation, numbers that every layout states exactly. */
const unitGate: Activation = {
  kind: "gated",
  magnitudeScale: new Float32Array(m).fill(1),
  magnitudeOffset: new Float32Array(m),
};

async function filesOf(writer: SaeWriter, sae: Sae): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  const files = writer.write(sae).map(async ({ name, chunks }) => [name, await whole(chunks)] as const);
  return Object.fromEntries(await Promise.all(files));
}

async function readBack(writer: SaeWriter, sae: Sae): Promise<Sae> {
  return openSae(memoryFiles(await filesOf(writer, sae)));
}

async function jsonOf(writer: SaeWriter, sae: Sae, name: string) {
  return JSON.parse(new TextDecoder().decode((await filesOf(writer, sae))[name]));
}

/** All numbers of an SAE, in arrays that compare equal wherever they lie. */
function weightsOf({ encoder, encoderBias, decoder, decoderBias, inputBias }: Sae) {
  return [encoder.values, encoderBias, decoder.values, decoderBias, inputBias].map((values) => [...values]);
}

test("saeWriters names every layout once", () => {
  expect(saeWriters.map(({ name }) => name)).toEqual(["saelens", "gemma-scope", "dictionary-learning"]);
});

describe("the saelens writer", () => {
  const kinds: Normalization[] = [{ kind: "none" }, { kind: "layer-norm" }, { kind: "unit-mean-square" }];
  test.each(kinds)("writes what openSae() reads back to the same SAE, with $kind", async (normalization) => {
    for (const activation of [jumprelu, { kind: "relu" }, { kind: "topk", k: 3 }, unitGate] as const) {
      const sae = drawSae(activation, normalization);
      const read = await readBack(saelens, sae);
      expect(weightsOf(read)).toEqual(weightsOf(sae));
      expect(read.normalization).toEqual(normalization);
      expect(read.activation).toEqual(activation);
    }
  });

  test("gives every latent the one threshold of batchtopk, and says what it was trained as", async () => {
    const read = await readBack(saelens, drawSae({ kind: "batchtopk", threshold: 0.7 }));
    expect(read.activation).toEqual({ kind: "jumprelu", threshold: new Float32Array(m).fill(0.7) });
    expect(read.origin.architecture).toBe("jumprelu, trained as batchtopk");
    const origin = { dialect: "none", architecture: "matryoshka_batchtopk" };
    const matryoshka = await readBack(saelens, {
      ...drawSae({ kind: "batchtopk", threshold: 0.7 }),
      origin,
    });
    expect(matryoshka.origin.architecture).toBe("jumprelu, trained as matryoshka_batchtopk");
  });

  test("writes a gate that openSae() reads back to one part in a million", async () => {
    const random = seededRandom(5);
    const uniform = (low: number, high: number) => low + (high - low) * random();
    for (let draw = 0; draw < 200; draw++) {
      const sae = drawSae({
        kind: "gated",
        magnitudeScale: Float32Array.from({ length: m }, () => 10 ** uniform(-4, 4)),
        magnitudeOffset: Float32Array.from({ length: m }, () => uniform(-2, 2)),
      });
      const read = await readBack(saelens, sae);
      if (sae.activation.kind !== "gated" || read.activation.kind !== "gated") throw new Error("not gated");
      const { magnitudeScale, magnitudeOffset } = sae.activation;
      for (let j = 0; j < m; j++) {
        const [scale, offset] = [read.activation.magnitudeScale[j], read.activation.magnitudeOffset[j]];
        expect(Math.abs(scale - magnitudeScale[j])).toBeLessThan(1e-6 * magnitudeScale[j]);
        // The file holds the offset plus the gate's bias times the scale, and rounds their sum.
        const largest = Math.max(Math.abs(magnitudeOffset[j]), Math.abs(sae.encoderBias[j]) * scale);
        expect(Math.abs(offset - magnitudeOffset[j])).toBeLessThan(1e-6 * largest);
      }
      expect(weightsOf(read)).toEqual(weightsOf(sae));
    }
  });

  test("says so when the decoder bias is subtracted from the input", async () => {
    const sae = drawSae(jumprelu);
    const centred = { ...sae, inputBias: sae.decoderBias };
    expect((await jsonOf(saelens, centred, "cfg.json")).apply_b_dec_to_input).toBe(true);
    expect(weightsOf(await readBack(saelens, centred))).toEqual(weightsOf(centred));
    expect((await jsonOf(saelens, sae, "cfg.json")).apply_b_dec_to_input).toBe(false);
  });

  test("keeps where in a model the SAE belongs, and what its users should know", async () => {
    const origin = {
      dialect: "none",
      modelName: "gpt2",
      hook: "blocks.3.attn.hook_z",
      prependBos: false,
      contextSize: 128,
      centredWrites: true,
      excludeSpecialTokens: [0, 5],
      seqposSlice: [1, null],
      headIndex: 2,
      datasetPath: "some/text",
      warnings: ["Its model was centred."],
    };
    const read = await readBack(saelens, { ...drawSae(jumprelu), origin });
    const ofReading = [expect.stringContaining("head 2"), expect.stringContaining("center_writing_weights")];
    expect(read.origin).toMatchObject({
      ...origin,
      dialect: "saelens",
      warnings: [...ofReading, "Its model was centred."],
    });
    const again = await readBack(saelens, read);
    expect(again.origin.warnings).toEqual(read.origin.warnings);
    const config = await jsonOf(saelens, { ...drawSae(jumprelu), origin }, "cfg.json");
    expect(config.reshape_activations).toBe("hook_z");
    expect(config.metadata.warnings).toEqual(origin.warnings);
  });

  test("refuses a factor of the input that is not folded", () => {
    const sae = drawSae(jumprelu, { kind: "expected-average", factor: 2 });
    expect(() => saelens.write(sae)).toThrow(UnsupportedError);
  });
});

describe("the gemma-scope writer", () => {
  test("writes what openSae() reads back to the same SAE", async () => {
    const sae = drawSae(jumprelu);
    const read = await readBack(gemmaScope, sae);
    expect(weightsOf(read)).toEqual(weightsOf(sae));
    expect(read.activation).toEqual(jumprelu);
  });

  test("writes relu with thresholds of 0", async () => {
    const { activation } = await readBack(gemmaScope, drawSae({ kind: "relu" }));
    expect(activation).toEqual({ kind: "jumprelu", threshold: new Float32Array(m) });
  });
});

describe("the dictionary-learning writer", () => {
  test("says what and where the dictionary is", async () => {
    const origin = { dialect: "none", modelName: "gpt2", hook: "blocks.11.hook_resid_pre", contextSize: 128 };
    const { trainer, buffer } = await jsonOf(
      dictionaryLearning,
      { ...drawSae(jumprelu), origin },
      "config.json",
    );
    expect(trainer).toMatchObject({
      dict_class: "JumpReluAutoEncoder",
      activation_dim: d,
      dict_size: m,
      layer: 11,
      lm_name: "gpt2",
      submodule_name: "blocks.11.hook_resid_pre",
    });
    expect(buffer).toEqual({ d_submodule: d, ctx_len: 128 });
  });

  test("says null of what is not known", async () => {
    const { trainer, buffer } = await jsonOf(dictionaryLearning, drawSae(jumprelu), "config.json");
    expect([trainer.layer, trainer.lm_name, buffer.ctx_len]).toEqual([null, null, null]);
  });
});

test.each([gemmaScope, dictionaryLearning])("the $name writer refuses a normalisation", (writer) => {
  expect(() => writer.write(drawSae(jumprelu, { kind: "layer-norm" }))).toThrow(/layer-norm.*saelens/);
  expect(() => writer.write(drawSae(jumprelu, { kind: "layer-norm" }))).toThrow(UnsupportedError);
});

test.each([gemmaScope, dictionaryLearning])(
  "the $name writer refuses topk and gated, and names a way",
  (writer) => {
    const [, , topk, , gated] = everyActivation(seededRandom(1), m);
    for (const [activation, way] of [
      [topk, /saelens.*topkThreshold/],
      [gated, /saelens.*toThresholdForm/],
    ] as const) {
      expect(() => writer.write(drawSae(activation))).toThrow(UnsupportedError);
      expect(() => writer.write(drawSae(activation))).toThrow(way);
      expect(() => writer.write(drawSae(activation))).toThrow(writer.name);
    }
  },
);

test("every writer gives each latent the one threshold of batchtopk", async () => {
  for (const writer of [saelens, gemmaScope]) {
    const { activation } = await readBack(writer, drawSae({ kind: "batchtopk", threshold: 0.3 }));
    expect(activation).toEqual({ kind: "jumprelu", threshold: new Float32Array(m).fill(0.3) });
  }
  const same = { ...jumprelu, threshold: new Float32Array(m).fill(0.3) };
  expect(await filesOf(dictionaryLearning, drawSae({ kind: "batchtopk", threshold: 0.3 }))).toEqual(
    await filesOf(dictionaryLearning, drawSae(same)),
  );
});

test.each([saelens, gemmaScope])("the $name writer folds an input bias of its own", async (writer) => {
  const sae = { ...drawSae(jumprelu), inputBias: new Float32Array(d).fill(0.25) };
  const read = await readBack(writer, sae);
  expect(read.inputBias).toEqual(new Float32Array(d));
  read.encoderBias.forEach((bias, j) => {
    const shift = sae.encoder.values
      .subarray(d * j, d * j + d)
      .reduce((sum, weight) => sum + 0.25 * weight, 0);
    expect(bias).toBeCloseTo(sae.encoderBias[j] - shift, 5);
  });
});

test("transposedPieces() gives the transpose of a matrix that needs several pieces", () => {
  const [rows, columns] = [2 ** 16 + 1, 37];
  const values = Float32Array.from({ length: rows * columns }, (_, p) => p % 1021);
  const { length, pieces } = transposedPieces({ rows, columns, values });
  expect(length).toBe(values.length);
  let at = 0;
  let wrong = 0;
  let count = 0;
  for (const piece of pieces()) {
    count++;
    for (const value of piece) {
      if (value !== ((at % rows) * columns + Math.floor(at / rows)) % 1021) wrong++;
      at++;
    }
  }
  expect([at, wrong, count]).toEqual([rows * columns, 0, 3]);
});

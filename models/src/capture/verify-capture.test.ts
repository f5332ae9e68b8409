import { activationsInMemory, DataError, matrix } from "@saestitch/core";
import { expect, test } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { prefixModel } from "../../test-support/prefix-model.ts";
import type { TokenWindow } from "../tokens/token-window.ts";
import { captureChecksum } from "./capture-checksum.ts";
import { captureWindows } from "./capture-windows.ts";
import { verifyCapture, verifyCaptureWithModel } from "./verify-capture.ts";

const windows = Array.from({ length: 30 }, (_, document): TokenWindow => {
  const length = 3 + (document % 5);
  return {
    tokenIds: Int32Array.from({ length }, (_, t) => 10 * document + t),
    documentIds: new Int32Array(length).fill(document),
    excluded: new Uint8Array(length),
  };
});

function modelOf(options: { d?: number; scale?: number } = {}) {
  const model = prefixModel(options);
  return { ...model, findHook: async () => model.hook };
}

/** A capture of all windows, and its rows. */
async function capture({ centred = false } = {}) {
  const model = modelOf({ d: 8 });
  const captured = await collect(captureWindows(model, model.hook, windows, { processing: { centred } }));
  const rows = captured.flatMap(({ activations }) => [...activations.values]);
  const tokenIds = Int32Array.from(windows.flatMap(({ tokenIds }) => [...tokenIds]));
  return {
    activations: matrix(tokenIds.length, 8, Float32Array.from(rows)),
    tokenIds,
    manifest: {
      d: 8,
      dtype: "float32" as const,
      tokens: tokenIds.length,
      hook: null,
      tensor: "/h",
      processing: { centred },
      checksum: captureChecksum(captured),
    },
  };
}

test("captureChecksum() measures the first 128 rows of whole windows", async () => {
  const { manifest, activations } = await capture();
  const { windows: tokens, norms, projections } = manifest.checksum;
  expect(norms).toHaveLength(128);
  expect(projections).toHaveLength(128);
  expect(tokens).toEqual(windows.slice(0, tokens.length).map(({ tokenIds }) => [...tokenIds]));
  expect(tokens.flat().length).toBeGreaterThanOrEqual(128);
  expect(tokens.slice(0, -1).flat().length).toBeLessThan(128);
  norms.forEach((norm, i) => {
    expect(norm).toBeCloseTo(Math.hypot(...activations.values.subarray(8 * i, 8 * i + 8)), 10);
    expect(Math.abs(projections[i])).toBeLessThanOrEqual(norm);
  });
});

test("verifyCapture() finds stored rows unchanged, read in batches of any size", async () => {
  const { manifest, activations, tokenIds } = await capture();
  const stored = activationsInMemory(activations, { tokenIds });
  expect(await verifyCapture(stored, manifest)).toEqual({ rows: 128, largest: 0 });
  const inSmall = { ...stored, batches: (options?: object) => stored.batches({ ...options, batchRows: 7 }) };
  expect(await verifyCapture(inSmall, manifest)).toEqual({ rows: 128, largest: 0 });
});

test("verifyCapture() names the first row that differs, NaN included", async () => {
  for (const change of [(value: number) => value + 0.01, () => Number.NaN]) {
    const { manifest, activations, tokenIds } = await capture();
    activations.values[8 * 41 + 3] = change(activations.values[8 * 41 + 3]);
    const verified = verifyCapture(activationsInMemory(activations, { tokenIds }), manifest);
    await expect(verified).rejects.toThrow(DataError);
    await expect(verified).rejects.toThrow(/row 41 is not what was captured/);
  }
});

test("verifyCapture() notices rows that changed places by their tokens, and by their sum alone", async () => {
  const { manifest, activations, tokenIds } = await capture();
  const [a, b] = [activations.values.slice(0, 8), activations.values.slice(8, 16)];
  activations.values.set(b, 0);
  activations.values.set(a, 8);
  await expect(verifyCapture(activationsInMemory(activations), manifest)).rejects.toThrow(/row 0 is not/);
  tokenIds.reverse();
  await expect(verifyCapture(activationsInMemory(activations, { tokenIds }), manifest)).rejects.toThrow(
    /row 0 is of the token/,
  );
});

test("verifyCaptureWithModel() recognises the model and its processing", async () => {
  for (const centred of [false, true]) {
    const { manifest } = await capture({ centred });
    expect(await verifyCaptureWithModel(modelOf({ d: 8 }), manifest)).toEqual({ rows: 128, largest: 0 });
    const otherwise = { ...manifest, processing: { centred: !centred } };
    await expect(verifyCaptureWithModel(modelOf({ d: 8 }), otherwise)).rejects.toThrow(DataError);
  }
});

test("verifyCaptureWithModel() refuses what differs by more than its tolerance", async () => {
  const { manifest } = await capture();
  const other = modelOf({ d: 8, scale: 1.002 });
  await expect(verifyCaptureWithModel(other, manifest)).rejects.toThrow(
    /blocks\.0\.hook_resid_post of a plain model: row 0/,
  );
  const { largest } = await verifyCaptureWithModel(other, manifest, { tolerance: 0.003 });
  expect(largest).toBeCloseTo(0.002, 5);
});

test("verifyCaptureWithModel() refuses a model that does not have the tokens", async () => {
  const { manifest } = await capture();
  const largest = Math.max(...manifest.checksum.windows.flat());
  const knowing = (vocabulary: number) => ({ ...modelOf({ d: 8 }), vocabulary });
  await verifyCaptureWithModel(knowing(largest + 1), manifest);
  await expect(verifyCaptureWithModel(knowing(largest), manifest)).rejects.toThrow(
    new DataError(
      `a plain model is not what was captured from: it tells ${largest} tokens apart, and token ${largest} was read`,
    ),
  );
});

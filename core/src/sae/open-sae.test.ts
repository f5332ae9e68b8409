import fc from "fast-check";
import { expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { memoryFiles } from "../../test-support/memory-files.ts";
import { DataError, FormatError, ShapeError, UnsupportedError } from "../errors.ts";
import { openSae } from "./open-sae.ts";

const folders = {
  "saelens/gated-layer-norm": ["cfg.json", "sae_weights.safetensors"],
  "saelens/jumprelu-expected-average-only-in": [
    "cfg.json",
    "sae_weights.safetensors",
    "activation_scaler.json",
  ],
  "saelens/standard-sparsity": ["cfg.json", "sae_weights.safetensors", "sparsity.safetensors"],
  "saelens/release-5-topk": ["cfg.json", "sae_weights.safetensors"],
  "gemma-scope/layer_12/width_16k/average_l0_82": ["params.npz"],
  "gemma-scope/resid_post/layer_17_width_16k_l0_medium": ["config.json", "params.safetensors"],
} as const;

const saes = await Promise.all(
  Object.entries(folders).map(async ([folder, names]) => {
    const files = await Promise.all(
      names.map(async (name) => [name, await readFixture(`${folder}/${name}`)] as const),
    );
    return { folder, files: Object.fromEntries(files) as Record<string, Uint8Array<ArrayBuffer>> };
  }),
);

const expectedErrors = [FormatError, ShapeError, UnsupportedError, DataError];

async function expectSaeOrExpectedError(files: Record<string, Uint8Array<ArrayBuffer>>, location: string) {
  try {
    await openSae(memoryFiles(files, { location }));
  } catch (error) {
    if (!expectedErrors.some((type) => error instanceof type)) throw error;
    expect((error as Error).message).not.toBe("");
  }
}

const choice = fc.nat().map((n) => ({ sae: saes[n % saes.length], file: Math.floor(n / saes.length) }));

test("openSae() answers files with changed, added or missing bytes with an SAE or an error of its own", async () => {
  const damage = fc.record({
    choice,
    changes: fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
    length: fc.option(fc.nat()),
    extra: fc.uint8Array({ maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ choice: { sae, file }, changes, length, extra }) => {
      const names = Object.keys(sae.files);
      const name = names[file % names.length];
      const whole = sae.files[name];
      const bytes = Uint8Array.from([
        ...whole.subarray(0, length === null ? whole.length : length % whole.length),
        ...extra,
      ]);
      // Half of the changes to the start, where the headers are.
      for (const [place, value] of changes)
        if (bytes.length > 0)
          bytes[place % (place % 2 === 0 ? Math.min(bytes.length, 400) : bytes.length)] = value;
      await expectSaeOrExpectedError({ ...sae.files, [name]: bytes }, sae.folder);
    }),
    { numRuns: 400 },
  );
});

test("openSae() answers configs with any value under any key with an SAE or an error of its own", async () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(
      -1,
      0,
      1e18,
      2 ** 53,
      1.5,
      "",
      "topk",
      "gated",
      "transcoder",
      true,
      false,
      null,
      [],
      {},
      12,
      18,
    ),
  );
  const configs = saes.flatMap((sae) =>
    Object.keys(sae.files)
      .filter((name) => name.endsWith(".json"))
      .map((name) => ({ sae, name })),
  );
  const damage = fc.record({
    config: fc.constantFrom(...configs),
    changes: fc.array(fc.tuple(fc.nat(), value), { minLength: 1, maxLength: 3 }),
    drop: fc.option(fc.nat()),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ config: { sae, name }, changes, drop }) => {
      const config = JSON.parse(new TextDecoder().decode(sae.files[name])) as Record<string, unknown>;
      const keys = [
        ...Object.keys(config),
        "k",
        "d_out",
        "scaling_factor",
        "is_transcoder",
        "activation_fn",
        "l0",
      ];
      for (const [place, changed] of changes) config[keys[place % keys.length]] = changed;
      if (drop !== null) delete config[keys[drop % keys.length]];
      await expectSaeOrExpectedError(
        { ...sae.files, [name]: new TextEncoder().encode(JSON.stringify(config)) },
        sae.folder,
      );
    }),
    { numRuns: 400 },
  );
});

test("openSae() lists what it found and what it knows when no dialect fits", async () => {
  const opened = openSae(memoryFiles({ "model.safetensors": new Uint8Array(8) }, { location: "here" }));
  await expect(opened).rejects.toThrow(UnsupportedError);
  await expect(opened).rejects.toThrow(/in here: its files are: model.safetensors; .*saelens .*gemma-scope/);
});

test("openSae() names the folders beneath that hold an SAE", async () => {
  const files = { "small/cfg.json": new Uint8Array(), "large/cfg.json": new Uint8Array() };
  await expect(openSae(memoryFiles(files))).rejects.toThrow(/Name one of the folders beneath: small, large/);
});

test("openSae() names NaN weights", async () => {
  const { files, folder } = saes[0];
  const weights = Uint8Array.from(files["sae_weights.safetensors"]);
  new DataView(weights.buffer).setFloat32(weights.length - 4, Number.NaN, true);
  const opened = openSae(memoryFiles({ ...files, "sae_weights.safetensors": weights }, { location: folder }));
  await expect(opened).rejects.toThrow(DataError);
  await expect(opened).rejects.toThrow(/holds 1 values that are not/);
});

import { expect, test } from "vitest";
import { readFixture } from "../../test-support/fixture.ts";
import { memoryFiles } from "../../test-support/memory-files.ts";
import { denseCode, largestDifference } from "../../test-support/plain-forward.ts";
import { bytesSource } from "../formats/bytes-source.ts";
import { openSafetensors } from "../formats/safetensors.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { matrix } from "../tensor/matrix.ts";
import { encode, reconstruct } from "./encode.ts";
import { openSae } from "./open-sae.ts";

interface Golden {
  readonly name: string;
  /** Folder of the SAE and its files, in `fixtures`. */
  readonly folder: string;
  readonly files: readonly string[];
  /** Input, code and reconstruction by the reference, in `fixtures`. */
  readonly golden: string;
  /** Where the files would have come from. */
  readonly location?: string;
  /** What must be known of the SAE. */
  readonly origin?: Readonly<Record<string, unknown>>;
}

const manifest = JSON.parse(new TextDecoder().decode(await readFixture("saelens/manifest.json"))) as {
  readonly saes: readonly Golden[];
};

async function openGolden({ folder, files, location = folder }: Golden) {
  const bytes = await Promise.all(
    files.map(async (file) => [file, await readFixture(`${folder}/${file}`)] as const),
  );
  return openSae(memoryFiles(Object.fromEntries(bytes), { location }));
}

test("the manifest lists golden SAEs", () => {
  expect(manifest.saes.length).toBeGreaterThan(40);
});

test.each(manifest.saes)("openSae() and encode() agree with SAELens on $name", async (golden) => {
  const sae = await openGolden(golden);
  const expected = await openSafetensors(bytesSource(golden.golden, await readFixture(golden.golden)));
  const [rows, d] = expected.info("input").shape;
  const x = matrix(rows, d, await expected.readFloat32("input"));
  const encoding = await encode(sae, x, referenceKernels);
  const reconstruction = await reconstruct(sae, encoding, referenceKernels);
  const code = denseCode(encoding.code).flat();
  expect(largestDifference(code, await expected.readFloat32("code"))).toBeLessThan(1e-5);
  expect(largestDifference(reconstruction.values, await expected.readFloat32("reconstruction"))).toBeLessThan(
    1e-5,
  );
});

test.each(manifest.saes.filter(({ origin }) => origin !== undefined))(
  "openSae() knows the origin of $name",
  async (golden) => {
    const { origin } = await openGolden(golden);
    for (const [key, value] of Object.entries(golden.origin ?? {})) {
      const found = origin[key as keyof typeof origin];
      if (typeof value === "number") expect(found).toBeCloseTo(value, 5);
      else expect(found).toBe(value);
    }
  },
);

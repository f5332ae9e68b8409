import { cp } from "node:fs/promises";
import { join } from "node:path";
import { makeToyWorld, type Sae } from "@saestitch/core";
import { readSae } from "@saestitch/core/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentedFields } from "./cli-documented-fields.ts";
import { inner, plainly, SILENT, unit, writeMetaWorld } from "./cli-meta-world.ts";
import { parquetRows, saestitch, writeSae } from "./cli-world.ts";

let world: Awaited<ReturnType<typeof writeMetaWorld>>;
let larger: Sae;
beforeAll(async () => {
  world = await writeMetaWorld();
  larger = world.largerSae;
  await writeSae(out("narrow"), makeToyWorld({ d: 64, documents: 1 }).smaller);
  const { code } = await saestitch(
    "meta",
    world.larger,
    ...["--latents", "24", "--steps", "120", "--compare", world.smaller, "--out", out("meta")],
  );
  expect(code).toBe(0);
}, 60_000);
afterAll(() => world.remove());

const out = (name: string) => join(world.folder, name);
const documented = (heading: string) => documentedFields(heading, "", "meta-output.md");
const fieldsOf = (object: object) => Object.keys(object).sort();

async function decomposed(...words: string[]) {
  const { code, stdout, stderr } = await saestitch(
    "decompose",
    world.larger,
    "--meta",
    out("meta"),
    ...words,
    "--json",
  );
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout);
}

describe("decompose", () => {
  test("finds what meta wrote", async () => {
    const rows = await parquetRows(join(out("meta"), "decomposition.parquet"));
    const asked = [5, 0, world.m - 1];
    const { latents, ...rest } = await decomposed("--latent", "5,0", "--latent", `${world.m - 1}`);
    expect(fieldsOf({ latents, ...rest })).toEqual(
      (await documented("`saestitch decompose … --json`")).sort(),
    );
    expect(latents.map(({ latent }: { latent: number }) => latent)).toEqual(asked);
    for (const { latent, parts } of latents)
      expect(
        parts.map(({ metaLatent, strength }: Record<string, number>) => ({
          latent,
          metaLatent,
          strength,
        })),
      ).toEqual(rows.filter((row) => row.latent === latent));
  });

  test("says how much of a direction is explained, and what is near", async () => {
    const { latents, smaller } = await decomposed("--latent", "11", "--top", "3", "--compare", world.smaller);
    const [found] = latents;
    expect(smaller.location).toBe(world.smaller);
    expect(fieldsOf(found)).toEqual((await documented("An entry of `latents`")).sort());
    const w = unit(larger.decoder, 11);
    const { sum } = plainly(await readSae(out("meta")), w);
    const error = w.map((value, c) => value - sum[c]);
    expect(found.explained).toBeCloseTo(1 - inner(error, error), 5);
    expect(found.cosine).toBeCloseTo(inner(w, sum) / Math.hypot(...sum), 5);
    const near = [...Array(world.m).keys()]
      .filter((j) => j !== 11 && j !== SILENT)
      .map((latent) => ({ latent, cosine: inner(unit(larger.decoder, latent), w) }))
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, 3);
    expect(found.nearest.map(({ latent }: { latent: number }) => latent)).toEqual(
      near.map(({ latent }) => latent),
    );

    const rows = await parquetRows(join(out("meta"), "decomposition.parquet"));
    const metaLatents = await parquetRows(join(out("meta"), "meta-latents.parquet"));
    expect(found.parts.length).toBeGreaterThan(0);
    for (const part of found.parts) {
      expect(fieldsOf(part)).toEqual((await documented("An entry of `parts`")).sort());
      const own = rows.filter(({ metaLatent }) => metaLatent === part.metaLatent);
      expect(part.latents).toBe(own.length);
      expect(part.others).toEqual(
        own
          .filter(({ latent }) => latent !== 11)
          .sort((a, b) => b.strength - a.strength)
          .slice(0, 3)
          .map(({ latent, strength }) => ({ latent, strength })),
      );
      const column = metaLatents[part.metaLatent];
      expect(part.nearestLarger.latent).toBe(column.nearestLarger);
      expect(part.nearestSmaller.latent).toBe(column.nearestSmaller);
      expect(part.nearestSmaller.cosine).toBeCloseTo(column.nearestSmallerCosine, 6);
    }
  });

  test("prints a table for each latent in 80 columns", async () => {
    const { code, stdout, stderr } = await saestitch(
      "decompose",
      world.larger,
      ...["--meta", out("meta"), "--latent", "1,2", "--compare", world.smaller],
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Latent 1 {2}explained [\d.]+ % ↑, cosine to the sum 0\.\d+ ↑$/m);
    expect(stdout).toMatch(/meta-latent +strength +in latents +nearest, larger +nearest, smaller/);
    expect(stdout).toMatch(/^ +also in \d+ 0\.\d\d, /m);
    const shown = stdout
      .replaceAll(world.folder, "")
      .replace(/\p{Mn}/gu, "")
      .split("\n");
    expect(shown.filter((line) => line.length > 80)).toEqual([]);
  });

  test("refuses what cannot be decomposed", async () => {
    const ofMeta = ["--meta", out("meta")];
    for (const [words, exit, complaint] of [
      [[world.larger, ...ofMeta, "--latent", String(world.m)], 1, `it has the latents 0 to ${world.m - 1}`],
      [[world.larger, ...ofMeta, "--latent", String(SILENT)], 1, "its direction is zero"],
      [[world.larger, ...ofMeta, "--latent", "-1"], 2, "--latent must be whole numbers of at least 0"],
      [[world.larger, ...ofMeta, "--latent", "2,2"], 2, "--latent must not name 2 twice"],
      [[world.larger, ...ofMeta], 2, "--latent N,… is missing"],
      [[world.larger, "--latent", "2"], 2, "--meta META is missing"],
      [[world.larger, "--meta", out("narrow"), "--latent", "2"], 1, "of width 64"],
      [[world.larger, ...ofMeta, "--latent", "2", "--compare", out("narrow")], 1, "of width 64"],
      [[world.smaller, ...ofMeta, "--latent", "2"], 1, `is a meta-SAE of ${world.larger} (sha256`],
    ] as const) {
      const { code, stdout, stderr } = await saestitch("decompose", ...words);
      expect([words, code, stdout]).toEqual([words, exit, ""]);
      expect(stderr).toContain(complaint);
    }
  });

  test("knows the SAE by its contents, and warns where nothing says whose directions were trained on", async () => {
    await cp(world.larger, out("moved"), { recursive: true });
    const moved = await saestitch("decompose", out("moved"), "--meta", out("meta"), "--latent", "2");
    expect([moved.code, moved.stderr]).toEqual([0, ""]);
    const { code, stderr } = await saestitch(
      "decompose",
      world.larger,
      "--meta",
      world.smaller,
      "--latent",
      "2",
    );
    expect([code, stderr.includes("no meta.json says whose directions it was trained on")]).toEqual([
      0,
      true,
    ]);
  });
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { documentedFields } from "./cli-documented-fields.ts";
import { saestitch } from "./cli-world.ts";

const model = fileURLToPath(new URL("../fixtures/models/gpt2-optimum", import.meta.url));

test("capture writes the documented fields, and prints them with those of the call", async () => {
  const folder = mkdtempSync(join(tmpdir(), "saestitch-"));
  try {
    const text = join(folder, "corpus.txt");
    writeFileSync(text, "One fish, two fish.\n\nRed fish, blue fish.\n");
    const out = join(folder, "acts");
    const { code, stdout } = await saestitch(
      ...["capture", model, "--hook", "blocks.1.hook_resid_post", "--text", text, "--out", out, "--json"],
    );
    expect(code).toBe(0);
    const written = JSON.parse(readFileSync(join(out, "capture.json"), "utf8"));
    const ofFile = await documentedFields("`capture.json`", "", "capture-output.md");
    const ofCall = await documentedFields("`capture --json`", "", "capture-output.md");
    expect(Object.keys(written).sort()).toEqual(ofFile.sort());
    expect(Object.keys(JSON.parse(stdout)).sort()).toEqual([...ofFile, ...ofCall].sort());
    expect(written).toMatchObject({ d: 32, documents: 2, complete: true, hook: "blocks.1.hook_resid_post" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

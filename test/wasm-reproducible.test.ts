import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const committed = join(root, "core/src/kernels/kernels.wasm.ts");

/** A clang of the version that the committed module was built with; others give other bytes. */
const clang = [process.env.CLANG ?? "clang", "clang-19"].find((candidate) => {
  const { stdout } = spawnSync(candidate, ["--version"], { encoding: "utf8" });
  return stdout?.includes("clang version 19.");
});
if (clang === undefined)
  console.warn("The WebAssembly kernels were not rebuilt: no clang 19 was found; set CLANG to one.");

test("kernels.wasm.ts names the sha256 of the C sources it was built from", () => {
  const sha256 = createHash("sha256");
  for (const name of ["kernels.h", "vectors.h", "screen.h", "kernels.c"])
    sha256.update(readFileSync(join(root, "kernels/src", name)));
  expect(readFileSync(committed, "utf8")).toContain(`sourcesSha256 = "${sha256.digest("hex")}"`);
});

test.runIf(clang)("kernels/build-wasm.sh gives the bytes that are committed", () => {
  const folder = mkdtempSync(join(tmpdir(), "saestitch-wasm-"));
  try {
    const rebuilt = join(folder, "kernels.wasm.ts");
    execFileSync(join(root, "kernels/build-wasm.sh"), [rebuilt], { env: { ...process.env, CLANG: clang } });
    expect(readFileSync(rebuilt, "utf8")).toBe(readFileSync(committed, "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

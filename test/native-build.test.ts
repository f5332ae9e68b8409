import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nativeAddon, testedInstructions } from "../core/test-support/native-addon.ts";

const kernels = new URL("../kernels/", import.meta.url);
const script = fileURLToPath(new URL("build-native.js", kernels));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "saestitch-native-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Run the build script; it builds into {@link folder}. */
function build(options: string[], env: Record<string, string | undefined> = {}) {
  const output = join(folder, "addon", "saestitch.node");
  const run = spawnSync(process.execPath, [script, ...options, "--output", output], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { ...run, output };
}

const compilers = ["gcc", "clang-19", "clang", "cc"].filter(
  (candidate) => spawnSync(candidate, ["--version"]).status === 0,
);
if (compilers.length === 0) console.warn("The native kernels were not built: no C compiler was found.");

test.each(compilers)("build-native.js builds an addon that loads, without warnings, with %s", (CC) => {
  const { status, stdout, stderr, output } = build(["--strict"], { CC });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain(`built with ${CC}: baseline`);
  const addon = createRequire(import.meta.url)(output);
  expect(addon.instructionSets()).toContain("baseline");
  rmSync(output);
});

test("build-native.js --optional says in one line that there is no compiler, and succeeds", () => {
  const { status, stdout, stderr, output } = build(["--optional"], { PATH: folder, CC: "" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^saestitch: native kernels are not built, .* no C compiler was found .*\n$/);
  expect(existsSync(output)).toBe(false);
});

test("build-native.js --optional says in one line that the build failed, and succeeds", () => {
  const { status, stdout, stderr } = build(["--optional"], { CC: "false" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
});

test("build-native.js --optional builds nothing where WebAssembly is asked for", () => {
  const { status, stdout, output } = build(["--optional"], { SAESTITCH_KERNELS: "wasm" });
  expect({ status, stdout }).toEqual({
    status: 0,
    stdout: "saestitch: native kernels are not built: SAESTITCH_KERNELS is wasm\n",
  });
  expect(existsSync(output)).toBe(false);
});

test("build-native.js fails without a compiler unless the build is optional", () => {
  const { status, stderr } = build([], { PATH: folder, CC: "" });
  expect(status).toBe(1);
  expect(stderr).toContain("no C compiler was found");
});

test.runIf(nativeAddon)("the addon that is tested was built from the C sources as they are", async () => {
  const { sourcesSha256 } = await import(new URL("sources-sha256.js", kernels).href);
  expect(nativeAddon?.sourcesSha256, "node kernels/build-native.js builds it anew").toBe(sourcesSha256());
  expect(testedInstructions[0]).toBe("baseline");
});

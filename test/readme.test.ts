import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { writeWorld } from "./cli-world.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const block = (language: string) => readme.match(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``))?.[1] ?? "";

test("the README's code runs as it stands, on files of one's own", async () => {
  const world = await writeWorld();
  // In the project's folder, so that the packages are found by their names.
  const folder = mkdtempSync(join(root, "node_modules/.readme-"));
  try {
    const code = block("ts")
      .replace('"saes/256"', JSON.stringify(world.smaller))
      .replace('"hf:owner/repo/512"', JSON.stringify(world.larger))
      .replace('"activations/"', JSON.stringify(world.activations));
    expect(code).toContain(world.activations);
    writeFileSync(join(folder, "example.mjs"), code);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(folder, "example.mjs")]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^(novel|reconstruction|undecided) -?\d\S* \d+ 0\.\d+\n$/);
  } finally {
    rmSync(folder, { recursive: true });
    await world.remove();
  }
});

test.each(["core", "models"])("the README's tree names every folder of %s, and no other", (name) => {
  const tree = readme.match(new RegExp(`^${name}/ [^\\n]*\\n((?: {2}src/[^\\n]*\\n)*)`, "m"))?.[1] ?? "";
  const named = [...tree.matchAll(/^ {2}src\/([\w-]+)\//gm)].map(([, folder]) => folder);
  const folders = readdirSync(join(root, name, "src"), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(named.sort()).toEqual(folders.map(({ name }) => name).sort());
});

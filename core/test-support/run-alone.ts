import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

/** Where the built modules of `core/src/node` lie. */
export const builtNodeFolder = new URL(
  "./",
  `file://${createRequire(import.meta.url).resolve("@saestitch/core/node/kernel-worker")}`,
);

/** What a process of its own prints that runs `script`, an ES module in which `node` is the address of {@link builtNodeFolder}. */
export function runAlone(script: string, env: Readonly<Record<string, string>> = {}) {
  const whole = `const node = ${JSON.stringify(builtNodeFolder.href)};\n${script}`;
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", whole],
    { encoding: "utf8", timeout: 60_000, env: { ...process.env, ...env } },
  );
  return { stdout, stderr, status: status ?? signal };
}

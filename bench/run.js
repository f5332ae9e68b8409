// Runs every benchmark of this folder, or those named, each in a process of its own.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const notBenchmarks = ["run.js", "synthetic.js"];
const all = readdirSync(folder).filter((file) => file.endsWith(".js") && !notBenchmarks.includes(file));
const chosen = process.argv.slice(2);
for (const file of all.filter(
  (file) => chosen.length === 0 || chosen.some((name) => file.startsWith(name)),
)) {
  console.log(`\n${file}`);
  const { status } = spawnSync(process.execPath, [folder + file], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

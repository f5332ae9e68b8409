import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Build the program that measures how many fused multiply-adds a second the machine can do; gives what runs it. Undefined, with a
 * message printed, where there is no C compiler.
 *
 * @param {string} folder
 * @returns {((threads: number) => { bits: number, gflops: number }) | undefined}
 */
export function buildPeak(folder) {
  const program = join(folder, "fma-peak");
  const source = fileURLToPath(new URL("../fma-peak.c", import.meta.url));
  const flags = ["-O3", "-march=native", "-ffp-contract=fast", "-pthread"];
  const built = spawnSync(process.env.CC ?? "cc", [...flags, source, "-o", program], { encoding: "utf8" });
  if (built.status !== 0) {
    console.log(`no share of the machine's peak: ${built.error?.message ?? built.stderr}`);
    return undefined;
  }
  return (threads) => {
    const { status, stdout } = spawnSync(program, [String(threads)], { encoding: "utf8" });
    if (status !== 0) throw new Error(`${program} ended with status ${status}`);
    return JSON.parse(stdout);
  };
}

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { openKernels } from "@saestitch/core/node";
import { openInputs, ownOperation } from "./kernel-cases.js";

/** Measure in a fresh process, `script`, which calls {@link memoryBeyondInputs} with what follows `--memory`. */
export function measureInChild(script, given) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, "--memory", JSON.stringify(given)],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`measuring memory failed: ${stderr}`);
  return JSON.parse(stdout);
}

/**
 * MiB that kernels take while they encode twice, beyond the inputs and one result: threads, packed weights, buffers. Linux only.
 */
export async function memoryBeyondInputs({ case: one, folder, threads, engine }) {
  const { arrays } = openInputs(one, folder);
  const before = kibibytes("VmRSS");
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // The peak so far stands: it is that of reading the inputs.
  }
  const kernels = await openKernels({ threads, ...(engine === "wasm" && { engine }) });
  const own = ownOperation(one, arrays, kernels);
  const { offsets, indices, values } = await own.call();
  await own.call();
  const result = offsets.byteLength + indices.byteLength + values.byteLength;
  const peak = kibibytes("VmHWM");
  await kernels.close();
  return { mebibytes: (peak - before) / 1024 - result / 2 ** 20 };
}

/** @param {string} field of /proc/self/status */
function kibibytes(field) {
  const line = readFileSync("/proc/self/status", "utf8")
    .split("\n")
    .find((line) => line.startsWith(field));
  return Number(line?.split(/\s+/)[1]);
}

#!/usr/bin/env node
// Build the native addon of the kernels for this machine: kernels/build/<platform>-<arch>/saestitch.node.
//   node build-native.js [--optional] [--strict] [--output <file>]
//     --optional  for the install script: say in one line why nothing was built, and succeed
//     --strict    warnings are errors
// CC names the C compiler (gcc 12 or clang 14, or newer); else clang, cc and gcc are tried: clang's code is the faster by a little.
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { sourcesSha256 } from "./sources-sha256.js";

const require = createRequire(import.meta.url);
const { addonPath } = require("./platform.cjs");
const source = fileURLToPath(new URL("src", import.meta.url));

const x64Avx512 = ["-mavx2", ...["f", "bw", "vl", "dq", "vnni"].map((part) => `-mavx512${part}`)];

/** By processor: the instruction sets that kernels.c is compiled for, each with its flags. The first is what every one of them has. */
const instructionSets = {
  x64: {
    baseline: ["-march=x86-64-v2"],
    avx2: ["-mavx2"],
    avx512: x64Avx512,
    amx: [...x64Avx512, "-mavx512bf16", "-mamx-tile", "-mamx-bf16"],
  },
}[process.arch] ?? { baseline: [] };

const flags = [
  ...["-std=gnu17", "-D_GNU_SOURCE", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread"],
  // The same bits on every machine: nothing is contracted.
  ...["-ffp-contract=off", "-fno-math-errno"],
  // No function takes vectors from another file.
  "-Wno-psabi",
];
const linkFlags =
  process.platform === "darwin" ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared", "-pthread"];

/** A compiler that is there, or undefined. */
function findCompiler() {
  const candidates = process.env.CC ? [process.env.CC] : ["clang", "cc", "gcc"];
  return candidates.find((candidate) => spawnSync(candidate, ["--version"]).status === 0);
}

/** Run the compiler; rejects with the first line of what it says when it fails. */
async function compile(compiler, options) {
  try {
    await promisify(execFile)(compiler, options, { maxBuffer: 2 ** 26 });
  } catch (error) {
    throw new Error(`${compiler} failed: ${error.stderr || error.message}`, { cause: error });
  }
}

/** Whether the compiler knows all of these flags. */
async function knows(compiler, options) {
  const probe = join(source, "kernels.h");
  return compile(compiler, [...options, "-x", "c", "-fsyntax-only", probe]).then(
    () => true,
    () => false,
  );
}

/** Build the addon and put it at `output`, in one step. */
async function build(output, { strict }) {
  const compiler = findCompiler();
  if (compiler === undefined) throw new Error("no C compiler was found (CC, clang, cc, gcc)");
  const folder = mkdtempSync(join(tmpdir(), "saestitch-build-"));
  try {
    const names = Object.keys(instructionSets);
    const known = await Promise.all(
      names.map((name) => name === "baseline" || knows(compiler, [...flags, ...instructionSets[name]])),
    );
    const built = names.filter((_, i) => known[i]);
    const common = [...flags, ...(strict ? ["-Wall", "-Wextra", "-Werror"] : [])];
    const objects = built.map((name) => ({
      file: "kernels.c",
      object: join(folder, `kernels-${name}.o`),
      extra: [...instructionSets[name], `-DKERNELS_NAME=kernels_${name}`],
    }));
    const glue = [
      `-I${require("node-api-headers").include_dir}`,
      "-DNAPI_VERSION=8",
      `-DSOURCES_SHA256="${sourcesSha256()}"`,
      ...built.map((name) => `-DHAVE_${name.toUpperCase()}`),
    ];
    for (const name of readdirSync(join(source, "native")).filter((name) => name.endsWith(".c")))
      objects.push({ file: join("native", name), object: join(folder, `${name}.o`), extra: glue });
    await Promise.all(
      objects.map(({ file, object, extra }) =>
        compile(compiler, [...common, ...extra, "-c", join(source, file), "-o", object]),
      ),
    );
    mkdirSync(dirname(output), { recursive: true });
    // Beside the output, so that it can be put in its place even while a process has the old one open.
    const linked = `${output}.${process.pid}.tmp`;
    await compile(compiler, [...linkFlags, ...objects.map(({ object }) => object), "-lm", "-o", linked]);
    renameSync(linked, output);
    return `${compiler}: ${built.join(", ")}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Why nothing needs to be built, or undefined. */
function reasonNotToBuild() {
  if (process.env.SAESTITCH_KERNELS === "wasm") return "SAESTITCH_KERNELS is wasm";
  if (process.platform === "win32") return "there is no build for Windows";
  try {
    require(addonPath("prebuilt"));
    return "the prebuilt addon runs here";
  } catch {
    return undefined;
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      optional: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      output: { type: "string", default: addonPath("build") },
    },
  });
  const reason = values.optional ? reasonNotToBuild() : undefined;
  if (reason !== undefined) {
    console.log(`saestitch: native kernels are not built: ${reason}`);
    return;
  }
  try {
    console.log(`saestitch: native kernels built with ${await build(values.output, values)}`);
  } catch (error) {
    if (!values.optional) throw error;
    const [line] = error.message.split("\n");
    console.log(`saestitch: native kernels are not built, WebAssembly runs in their place: ${line}`);
  }
}

await main();

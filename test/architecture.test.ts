import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Folders of a package's `src` from the ground up; a folder imports only folders of lower rows, and itself. */
type Layers = readonly (readonly string[])[];

const coreLayers: Layers = [
  ["errors.ts", "nearest-name.ts"],
  ["tensor"],
  ["linalg", "formats"],
  ["statistics", "kernels"],
  ["sae", "activations"],
  ["metrics", "codes", "toy-world", "training"],
  ["labelling", "meta-sae"],
  ["swapping", "frankenstein"],
  ["index.ts"],
  ["node"],
];

const modelsLayers: Layers = [
  ["onnx", "engine", "tokens", "text", "processing.ts"],
  ["model.ts"],
  ["hooks"],
  ["language-model", "capture", "loss", "examples"],
  ["index.ts"],
  ["node", "browser"],
];

/** What each package may import of this project. */
const packages: Readonly<Record<string, readonly string[]>> = {
  core: ["@saestitch/kernels"],
  models: ["@saestitch/core", "@saestitch/core/node"],
  cli: ["@saestitch/core", "@saestitch/core/node", "@saestitch/models", "@saestitch/models/node"],
};

/** Packages of others that a package of layers may use, each where only it is needed. */
const dependencies: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  core: {
    "@zip.js/zip.js": ["formats"],
    "@huggingface/hub": ["node"],
    "@saestitch/kernels": ["node"],
    webgpu: ["node"],
  },
  models: {
    "@huggingface/tokenizers": ["tokens"],
    hyparquet: ["text"],
    "hyparquet-compressors": ["text"],
    "onnxruntime-common": ["engine"],
    "onnxruntime-node": ["node"],
    "onnxruntime-web": ["browser"],
    pbf: ["onnx"],
  },
};

interface Import {
  /** File, relative to the package's src folder. */
  readonly from: string;
  readonly specifier: string;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !/\.(test|conformance)\.ts$/.test(file))
    .map((file) => join(folder, file));
}

function importsOf(packageName: string): Import[] {
  const source = join(root, packageName, "src");
  return sourceFiles(source).flatMap((file) => {
    const specifiers = readFileSync(file, "utf8").matchAll(
      /(?:\bfrom\s+|\bimport\s*\(?\s*|\bcreateRequire\(import\.meta\.url\)\()"([^"]+)"/g,
    );
    return [...specifiers].map(([, specifier]) => ({ from: relative(source, file), specifier }));
  });
}

const topFolder = (path: string) => path.split("/")[0];
const packageOf = (specifier: string) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

describe.each([
  ["core", coreLayers],
  ["models", modelsLayers],
])("%s", (name, layers) => {
  const imports = importsOf(name);
  const layerOf = (path: string) => layers.findIndex((row) => row.includes(topFolder(path)));

  test("has no folder outside the layers", () => {
    expect(
      [...new Set(imports.map(({ from }) => topFolder(from)))].filter((folder) => layerOf(folder) < 0),
    ).toEqual([]);
  });

  test("imports one way: a folder uses only the layers below it", () => {
    const inward = imports.filter(({ specifier }) => specifier.startsWith("."));
    expect(inward.length).toBeGreaterThan(50);
    const source = join(root, name, "src");
    const upward = inward.filter(({ from, specifier }) => {
      const target = relative(source, resolve(source, dirname(from), specifier));
      return topFolder(target) !== topFolder(from) && layerOf(target) >= layerOf(from);
    });
    expect(upward).toEqual([]);
  });

  test("uses Node only in its node folder, and packages of others only where they are needed", () => {
    const outward = imports.filter(({ specifier }) => !specifier.startsWith("."));
    const misplaced = outward.filter(({ from, specifier }) => {
      if (specifier.startsWith("node:")) return topFolder(from) !== "node";
      if (packages[name].includes(specifier) && !(packageOf(specifier) in dependencies[name])) return false;
      return !dependencies[name][packageOf(specifier)]?.includes(topFolder(from));
    });
    expect(misplaced).toEqual([]);
  });
});

describe("packages", () => {
  test.each(Object.entries(packages))("%s imports of this project only what it may", (name, allowed) => {
    const own = importsOf(name).filter(({ specifier }) => /^(@saestitch\/|saestitch)/.test(specifier));
    expect(own.filter(({ specifier }) => !allowed.includes(specifier))).toEqual([]);
  });

  test.each(Object.keys(packages))(
    "%s declares every package it imports, and uses every one it declares",
    (name) => {
      const manifest = JSON.parse(readFileSync(join(root, name, "package.json"), "utf8"));
      const used = new Set(
        importsOf(name)
          .map(({ specifier }) => specifier)
          .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
          .map(packageOf),
      );
      const { dependencies, optionalDependencies = {}, peerDependencies = {} } = manifest;
      const declared = { ...dependencies, ...optionalDependencies, ...peerDependencies };
      expect([...used].sort()).toEqual(Object.keys(declared).sort());
    },
  );
});

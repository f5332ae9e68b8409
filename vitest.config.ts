import { existsSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { defaultClientConditions, defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

const chromium = [
  process.env.CHROMIUM_PATH,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== undefined && existsSync(path));
if (chromium === undefined) {
  if (process.env.SAESTITCH_REQUIRE_BROWSER)
    throw new Error("SAESTITCH_REQUIRE_BROWSER is set, but no Chromium was found; set CHROMIUM_PATH");
  console.warn(
    "Browser tests skipped: no Chromium found. Install it, or set CHROMIUM_PATH to its executable.",
  );
}

const condition = "@saestitch/source";

/** What both projects share. */
const everywhere = {
  setupFiles: ["test/fixed-seed.ts"],
  env: { SAESTITCH_SEED: process.env.SAESTITCH_SEED ?? "1" },
  testTimeout: 60_000,
};

const node = {
  resolve: { conditions: [condition, ...defaultServerConditions] },
  ssr: { resolve: { conditions: [condition, ...defaultServerConditions] } },
  test: {
    ...everywhere,
    name: "node",
    include: ["{core,models,cli}/src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["test/browser/**", "**/*.browser.test.ts"],
  },
};

/** The same tests of `core` and `models`, but for those of their Node folders, in a real browser. */
const browser = {
  resolve: { conditions: [condition, ...defaultClientConditions] },
  server: {
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
  },
  test: {
    ...everywhere,
    name: "browser",
    include: ["{core,models}/src/**/*.test.ts"],
    exclude: ["{core,models}/src/node/**"],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({
        launchOptions: {
          ...(chromium && { executablePath: chromium }),
          // WebGPU without a GPU, by the software driver that Chromium brings.
          args: ["--no-sandbox", "--disable-gpu", "--enable-unsafe-webgpu"],
        },
      }),
      instances: [{ browser: "chromium" as const }],
    },
  },
};

export default defineConfig({ test: { projects: chromium === undefined ? [node] : [node, browser] } });

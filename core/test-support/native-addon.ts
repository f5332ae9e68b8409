import { loadNativeAddon } from "../src/node/native-addon.ts";

const loaded = loadNativeAddon();
if ("reason" in loaded && process.env.SAESTITCH_REQUIRE_NATIVE)
  throw new Error(`SAESTITCH_REQUIRE_NATIVE is set, but there are no native kernels: ${loaded.reason}`);
if ("reason" in loaded)
  console.warn(
    `Tests of the native kernels skipped: ${loaded.reason}; node kernels/build-native.js builds them`,
  );

/** The native addon, where it is built; says so on the console where it is not. */
export const nativeAddon = "addon" in loaded ? loaded.addon : undefined;

/** The sets of instructions to test native kernels with: all that run here. */
export const testedInstructions: readonly string[] = nativeAddon?.instructionSets() ?? [];

import { createRequire } from "node:module";
import type { AdamFactors } from "../kernels/adam-factors.ts";

/** What the addon of `@saestitch/kernels` offers (kernels/src/native). */
export interface NativeAddon {
  /** sha256 of the C sources it was built from. */
  readonly sourcesSha256: string;
  /** The sets of instructions that this processor and system can run and this build has, best last: some of "baseline", "avx2", "avx512", "amx". */
  instructionSets(): string[];
  /** Start threads. Throws when the system refuses, or the instructions are none of {@link NativeAddon.instructionSets}. */
  open(threads: number, instructions: string): NativeInstance;
}

/** The entries of a code, as its columns. */
export interface NativeCode {
  readonly offsets: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float32Array;
}

/** A search of all products of `rows` with `directions` for large ones; kernels/src/native/scan.h says what each field means. */
export interface NativeScan {
  readonly rowCount: number;
  readonly directionCount: number;
  readonly columns: number;
  readonly rows: Float32Array;
  readonly directions: Float32Array;
  readonly rowFloor: Float32Array;
  readonly latentFloor: Float32Array;
  readonly bias: Float32Array;
  readonly scale: Float32Array | undefined;
  readonly offset: Float32Array | undefined;
  readonly top: number;
  readonly unit: boolean;
  readonly byLatent: boolean;
  /** Make room for what was found: `rowCount` + 1 offsets, and so many entries. */
  allocate(entries: number): NativeCode;
}

interface OnCode {
  readonly rows: number;
  readonly latents: number;
  readonly columns: number;
  readonly code: NativeCode;
  readonly decoder: Float32Array;
}

/** Kernels on threads of their own. Arrays lie in memory of either kind and are read, or written, where they are, until the promise settles. */
export interface NativeInstance {
  scan(call: NativeScan): Promise<NativeCode>;
  decode(call: OnCode & { base: Float32Array; sign: number; out: Float32Array }): Promise<void>;
  project(call: OnCode & { residual: Float32Array; out: Float32Array }): Promise<void>;
  walk(
    call: OnCode & { residual: Float32Array; group: Int32Array | undefined; out: Float32Array },
  ): Promise<void>;
  update(
    call: AdamFactors & {
      rows: number;
      columns: number;
      weights: Float32Array;
      first: Float32Array;
      second: Float32Array;
      gradient: readonly { count: number; code: NativeCode; rows: Float32Array }[];
      unitRows: boolean;
    },
  ): Promise<void>;
  /** End the threads once the running call has ended; calls that wait reject, with `code` "CLOSED", and later ones throw that. */
  close(): Promise<void>;
}

/** The addon, or why there is none: it is an optional package, built where it is installed. */
export function loadNativeAddon(): { readonly addon: NativeAddon } | { readonly reason: string } {
  try {
    return { addon: createRequire(import.meta.url)("@saestitch/kernels") };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      reason: code === "MODULE_NOT_FOUND" ? "the package @saestitch/kernels is not installed" : message,
    };
  }
}

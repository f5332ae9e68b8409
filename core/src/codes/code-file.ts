import { DataError, FormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { encodeSafetensors } from "../formats/encode-safetensors.ts";
import { describe } from "../formats/json.ts";
import { openSafetensors, type Safetensors } from "../formats/safetensors.ts";
import { describeShape } from "../formats/shape.ts";
import { encode, toFloat32 } from "../tensor/dtype.ts";
import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/** Bits in which the activations of a code are kept: float32 as they are, or rounded to float16. */
export type CodePrecision = "f32" | "f16";

/** A code out of a file. */
export interface DecodedCode {
  readonly code: SparseCode;
  /** What was stored beside it, the number of columns included. */
  readonly metadata: Readonly<Record<string, string>>;
}

const dtypeOf = { f32: "F32", f16: "F16" } as const;
const LARGEST_HALF = 65504;
const LEAST_HALF = 2 ** -24;
const MOST_COLUMNS = 2 ** 31 - 1;

/**
 * The code as it is read back when it is kept in `precision`: the very same object for `f32`, and for `f16` one with the values
 * rounded to nearest, a positive one never to 0, so that the same latents stay active.
 *
 * Throws {@link DataError} for a value that `f16` cannot hold.
 */
export function roundCode(code: SparseCode, precision: CodePrecision): SparseCode {
  if (precision === "f32") return code;
  const kept = Float32Array.from(code.values, (value) => (value > 0 ? Math.max(value, LEAST_HALF) : value));
  const values = shareFloat32(toFloat32(encode(kept, "F16"), "F16"));
  const beyond = values.findIndex((value) => !Number.isFinite(value));
  if (beyond >= 0)
    throw new DataError(
      `Cannot keep an activation of ${code.values[beyond]} in f16, which ends at ${LARGEST_HALF}: keep these codes in f32`,
    );
  return { ...code, values };
}

/**
 * A code as the chunks of a safetensors file: offsets and indices in int32, values in `precision`, and in the metadata, beside
 * what is given, the number of columns. To be read as it was given it must be rounded already ({@link roundCode}).
 *
 * Throws {@link DataError} for a code that could not be read back: values that are negative or not finite, latents out of order.
 */
export function encodeCode(
  code: SparseCode,
  {
    precision = "f32",
    metadata = {},
  }: { readonly precision?: CodePrecision; readonly metadata?: Readonly<Record<string, string>> } = {},
): Iterable<Uint8Array<ArrayBuffer>> {
  const fault = faultOf(code);
  if (fault !== undefined) throw new DataError(`Cannot keep a code: ${fault}`);
  const { columns, offsets, indices, values } = code;
  return encodeSafetensors(
    [
      { name: "offsets", dtype: "I32", shape: [offsets.length], values: offsets },
      { name: "indices", dtype: "I32", shape: [indices.length], values: indices },
      { name: "values", dtype: dtypeOf[precision], shape: [values.length], values },
    ],
    { ...metadata, columns: String(columns) },
  );
}

/**
 * Read what {@link encodeCode} wrote, into memory that worker threads share. Rejects with {@link FormatError} that names the file
 * when it is anything but a sound code of at most `mostRows` rows.
 */
export async function decodeCode(
  source: ByteSource,
  { mostRows = 2 ** 31 - 2 }: { readonly mostRows?: number } = {},
): Promise<DecodedCode> {
  const file = await openSafetensors(source);
  const columns = columnsOf(file);
  const rows = lengthOf(file, "offsets", ["I32"]) - 1;
  if (rows < 0 || rows > mostRows)
    throw new FormatError(`${file.name} holds a code of ${rows} rows, expected 0 to ${mostRows}`);
  const entries = lengthOf(file, "indices", ["I32"]);
  const strengths = lengthOf(file, "values", ["F32", "F16"]);
  if (strengths !== entries || entries > rows * columns)
    throw new FormatError(
      `${file.name} holds ${entries} indices and ${strengths} values, expected as many of both, and at most ${rows} × ${columns}`,
    );
  const code: SparseCode = {
    rows,
    columns,
    offsets: shareInt32(await file.readInt32("offsets")),
    indices: shareInt32(await file.readInt32("indices")),
    values: shareFloat32(await file.readFloat32("values")),
  };
  const fault = faultOf(code);
  if (fault !== undefined) throw new FormatError(`${file.name} holds a broken code: ${fault}`);
  return { code, metadata: file.metadata };
}

/**
 * What is wrong with a code, if anything. A value of 0 is sound: an active latent contributes that on a token of scale 0.
 */
function faultOf({ rows, columns, offsets, indices, values }: SparseCode): string | undefined {
  if (offsets.length !== rows + 1 || values.length !== indices.length)
    return `it has ${offsets.length} offsets for ${rows} rows, ${indices.length} indices and ${values.length} values`;
  if (offsets[0] !== 0 || offsets[rows] !== indices.length)
    return `its offsets go from ${offsets[0]} to ${offsets[rows]}, expected 0 to ${indices.length}`;
  for (let i = 0; i < rows; i++)
    if (offsets[i + 1] < offsets[i])
      return `its offsets descend from ${offsets[i]} to ${offsets[i + 1]} at row ${i}`;
  for (let i = 0; i < rows; i++) {
    for (let entry = offsets[i], last = -1; entry < offsets[i + 1]; entry++) {
      const latent = indices[entry];
      if (latent <= last || latent >= columns)
        return `row ${i} names latent ${latent}, expected one above ${last} and below ${columns}`;
      last = latent;
    }
  }
  const wrong = values.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (wrong >= 0)
    return `entry ${wrong} has the activation ${values[wrong]}, expected a finite one that is not negative`;
  return undefined;
}

function columnsOf({ metadata, name }: Safetensors): number {
  const columns = metadata.columns ?? "";
  if (/^\d{1,10}$/.test(columns) && Number(columns) <= MOST_COLUMNS) return Number(columns);
  throw new FormatError(
    `${name} states ${describe(metadata.columns)} columns in its metadata, expected an integer from 0 to ${MOST_COLUMNS}`,
  );
}

function lengthOf(file: Safetensors, tensor: string, dtypes: readonly string[]): number {
  const { dtype, shape } = file.info(tensor);
  if (shape.length === 1 && dtypes.includes(dtype)) return shape[0];
  throw new FormatError(
    `Tensor ${describe(tensor)} of ${file.name} is ${describe(dtype)} of shape ${describeShape(shape)}, expected a list of ${dtypes.join(" or ")}`,
  );
}

function shareFloat32(values: Float32Array): Float32Array {
  const shared = allocateFloat32(values.length);
  shared.set(values);
  return shared;
}

function shareInt32(values: Int32Array): Int32Array {
  const shared = allocateInt32(values.length);
  shared.set(values);
  return shared;
}

import { FormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { encodeSafetensors } from "../formats/encode-safetensors.ts";
import { openSafetensors, type Safetensors } from "../formats/safetensors.ts";
import type { TensorToWrite } from "../formats/tensor-to-write.ts";
import type { DocumentRun } from "./document-run.ts";
import type { LabelSums } from "./label-sums.ts";
import { emptyLabelSums, type Pair } from "./measure-insertion.ts";

/**
 * {@link LabelSums} as the chunks of a safetensors file: one float64 or int32 tensor per array or number, named by its path
 * ("insertion.fired"). `key` is stored beside them and says what was measured.
 */
export function encodeLabelSums(
  sums: LabelSums,
  key: Readonly<Record<string, string>>,
): Iterable<Uint8Array> {
  return encodeSafetensors(tensorsOf(sums, ""), key);
}

/** What {@link encodeLabelSums} stored for this pair, exactly. Rejects with {@link FormatError} when it does not fit the pair. */
export async function decodeLabelSums(
  source: ByteSource,
  pair: Pair,
): Promise<{ readonly sums: LabelSums; readonly key: Readonly<Record<string, string>> }> {
  const file = await openSafetensors(source);
  const sums = (await fill(file, "", emptyLabelSums(pair))) as LabelSums;
  sums.insertion.first = await readRun(file, "insertion.first.", pair.match.length);
  sums.insertion.last = await readRun(file, "insertion.last.", pair.match.length);
  return { sums, key: file.metadata };
}

function* tensorsOf(value: object, path: string): Generator<TensorToWrite> {
  for (const [name, member] of Object.entries(value)) {
    const tensor = path + name;
    if (member instanceof Float64Array)
      yield { name: tensor, dtype: "F64", shape: [member.length], values: member };
    else if (member instanceof Int32Array)
      yield { name: tensor, dtype: "I32", shape: [member.length], values: member };
    else if (typeof member === "number")
      yield { name: tensor, dtype: "F64", shape: [], values: Float64Array.of(member) };
    else if (member !== null) yield* tensorsOf(member, `${tensor}.`);
  }
}

/** A copy of `template` with every array and number replaced by the stored one; nulls stay. */
async function fill(file: Safetensors, path: string, template: object): Promise<object> {
  const filled: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(template)) {
    if (member === null) filled[name] = null;
    else if (member instanceof Float64Array) filled[name] = await readArray(file, path + name, member.length);
    else if (member instanceof Int32Array) filled[name] = await readIndices(file, path + name, member.length);
    else if (typeof member === "number") filled[name] = (await readArray(file, path + name, 1))[0];
    else filled[name] = await fill(file, `${path}${name}.`, member);
  }
  return filled;
}

async function readRun(file: Safetensors, path: string, latents: number): Promise<DocumentRun | null> {
  if (!file.has(`${path}latents`)) return null;
  const fired = await file.readInt32(`${path}latents`);
  const wrong = fired.find((latent) => latent < 0 || latent >= latents);
  if (wrong !== undefined)
    throw new FormatError(`${file.name}: ${path}latents names latent ${wrong} of ${latents}`);
  return {
    documentId: (await readArray(file, `${path}documentId`, 1))[0],
    tokens: (await readArray(file, `${path}tokens`, 1))[0],
    latents: fired,
    deltaSse: await readArray(file, `${path}deltaSse`, fired.length),
    activation: await readArray(file, `${path}activation`, fired.length),
  };
}

async function readArray(file: Safetensors, tensor: string, length: number): Promise<Float64Array> {
  return checkLength(file, tensor, await file.readFloat64(tensor), length);
}

async function readIndices(file: Safetensors, tensor: string, length: number): Promise<Int32Array> {
  return checkLength(file, tensor, await file.readInt32(tensor), length);
}

function checkLength<T extends { readonly length: number }>(
  file: Safetensors,
  tensor: string,
  values: T,
  length: number,
): T {
  if (values.length === length) return values;
  throw new FormatError(`${file.name}: ${tensor} holds ${values.length} numbers, expected ${length}`);
}

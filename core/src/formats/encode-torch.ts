import { dtypeBytes } from "../tensor/dtype.ts";
import { encodeZip, type ZipEntry } from "./encode-zip.ts";
import { checkTensorsToWrite, type TensorToWrite, tensorBytes } from "./tensor-to-write.ts";

/** A tensor that can be written to a torch file. */
export interface TorchTensorToWrite extends TensorToWrite {
  readonly dtype: "F32";
}

/**
 * Encode tensors as `torch.save` writes a state dict: a zip archive of a pickle, which says what there is, and the elements of
 * each tensor. The pickle names nothing but OrderedDict, FloatStorage and the function that makes a tensor of one, so `torch.load`
 * reads it with `weights_only`. In bounded memory.
 *
 * Throws ShapeError when values do not fill their shape or a name occurs twice.
 */
export function encodeTorch(tensors: Iterable<TorchTensorToWrite>): AsyncIterable<Uint8Array<ArrayBuffer>> {
  const all = [...tensors];
  checkTensorsToWrite(all, "one torch file");
  const text = (name: string, bytes: Uint8Array<ArrayBuffer>): ZipEntry => ({
    name: `archive/${name}`,
    byteLength: bytes.length,
    chunks: [bytes],
  });
  return encodeZip([
    text("data.pkl", stateDictPickle(all)),
    text("byteorder", ascii("little")),
    ...all.map((tensor, i) => ({
      name: `archive/data/${i}`,
      byteLength: tensor.values.length * dtypeBytes[tensor.dtype],
      chunks: tensorBytes(tensor),
    })),
    text("version", ascii("3\n")),
  ]);
}

/**
 * A program of pickle protocol 2 that makes an OrderedDict from names to
 * `_rebuild_tensor_v2(storage, offset 0, shape, strides, requires_grad False, hooks OrderedDict())`, where the storage of tensor i
 * is the persistent object ("storage", FloatStorage, "i", "cpu", number of elements).
 */
function stateDictPickle(tensors: readonly TorchTensorToWrite[]): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const emit = (...opcodes: readonly (string | readonly number[])[]) => {
    for (const code of opcodes) bytes.push(...(typeof code === "string" ? ascii(code) : code));
  };
  const emptyOrderedDict = `${global("collections", "OrderedDict")})R`;
  emit([0x80, 2], emptyOrderedDict, "(");
  tensors.forEach(({ name, shape, values }, i) => {
    emit(unicode(name), global("torch._utils", "_rebuild_tensor_v2"), "(");
    emit("(", unicode("storage"), global("torch", "FloatStorage"), unicode(`${i}`), unicode("cpu"));
    emit(integer(values.length), "tQ");
    emit(integer(0), tuple(shape), tuple(stridesOf(shape)), [0x89], emptyOrderedDict, "tR");
  });
  emit("u.");
  return Uint8Array.from(bytes);
}

function global(module: string, name: string): string {
  return `c${module}\n${name}\n`;
}

function unicode(text: string): number[] {
  const utf8 = new TextEncoder().encode(text);
  return [0x58, ...littleEndian(utf8.length, 4), ...utf8];
}

/** Four bytes where they hold it, else eight. */
function integer(value: number): number[] {
  return value < 2 ** 31 ? [0x4a, ...littleEndian(value, 4)] : [0x8a, 8, ...littleEndian(value, 8)];
}

function tuple(values: readonly number[]): number[] {
  return [0x28, ...values.flatMap(integer), 0x74];
}

/** Elements between neighbours along each axis of a row-major tensor. */
function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

function littleEndian(value: number, length: number): number[] {
  return Array.from({ length }, (_, i) => Math.floor(value / 256 ** i) % 256);
}

function ascii(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

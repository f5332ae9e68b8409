import { FormatError } from "../errors.ts";
import { type DType, dtypeBytes } from "../tensor/dtype.ts";
import { describe } from "./json.ts";
import { countElements } from "./shape.ts";

/** Bytes that are enough to know where the header of an npy file ends. */
export const npyPrefixLength = 12;

/** The longest header that is read; a plain array of numbers needs some hundred bytes. */
const largestHeader = 2 ** 20;

/** What the header of an npy file says about its array. */
export interface NpyHeader {
  readonly dtype: DType;
  readonly bigEndian: boolean;
  /** Whether the first axis varies fastest, not the last. */
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Where the header ends and the elements begin. */
  readonly dataStart: number;
  /** Bytes of all elements. */
  readonly dataLength: number;
}

/** The element types of npy files, by their names there but for the order of bytes. */
export const npyTypes: Readonly<Record<string, DType>> = {
  b1: "BOOL",
  u1: "U8",
  i1: "I8",
  u2: "U16",
  i2: "I16",
  f2: "F16",
  u4: "U32",
  i4: "I32",
  f4: "F32",
  u8: "U64",
  i8: "I64",
  f8: "F64",
};

/**
 * The length of the whole header, told by the first {@link npyPrefixLength} bytes of an npy file. Throws
 * {@link FormatError} when they are not those of an npy file of version 1, 2 or 3.
 */
export function npyHeaderLength(prefix: Uint8Array, name: string): number {
  const magic = "\x93NUMPY";
  for (let i = 0; i < magic.length; i++) {
    if (prefix[i] !== magic.charCodeAt(i)) {
      throw new FormatError(`${name} is not an npy file: it does not begin with the bytes "\\x93NUMPY"`);
    }
  }
  if (prefix.length < npyPrefixLength) {
    throw new FormatError(`${name} ends within its npy header, after ${prefix.length} bytes`);
  }
  const [major, minor] = [prefix[6], prefix[7]];
  if (major < 1 || major > 3 || minor !== 0) {
    throw new FormatError(`${name} has the npy version ${major}.${minor}, expected 1.0, 2.0 or 3.0`);
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.length);
  const length = major === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  if (length < npyPrefixLength || length > largestHeader) {
    throw new FormatError(
      `${name} states an npy header of ${length} bytes, expected ${npyPrefixLength} to ${largestHeader}`,
    );
  }
  return length;
}

/**
 * Parse the header of an npy file, of which `bytes` holds at least {@link npyHeaderLength} bytes. Throws
 * {@link FormatError} naming the file when it is malformed or describes anything but plain numbers or booleans.
 *
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function parseNpyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const dataStart = npyHeaderLength(bytes.subarray(0, npyPrefixLength), name);
  if (bytes.length < dataStart) {
    throw new FormatError(
      `${name} ends within its npy header, after ${bytes.length} bytes, expected ${dataStart}`,
    );
  }
  const text = new TextDecoder().decode(bytes.subarray(bytes[6] === 1 ? 10 : 12, dataStart));
  const { descr, fortran_order: fortranOrder, shape } = parseDictionary(text, name);
  if (typeof fortranOrder !== "boolean") throw malformed(name, "fortran_order is neither True nor False");
  if (!Array.isArray(shape)) throw malformed(name, "shape is not a tuple");
  const { dtype, bigEndian } = parseDescription(descr, name);
  const dataLength = countElements(shape, name) * dtypeBytes[dtype];
  return { dtype, bigEndian, fortranOrder, shape, dataStart, dataLength };
}

function parseDescription(descr: unknown, name: string): { dtype: DType; bigEndian: boolean } {
  if (typeof descr !== "string") throw malformed(name, "descr is not a text");
  if (descr.includes("O")) {
    throw new FormatError(
      `${name} holds pickled Python objects, which is never read; expected an array of numbers`,
    );
  }
  const [order, type] = [descr.slice(0, 1), descr.slice(1)];
  const dtype = Object.hasOwn(npyTypes, type) ? npyTypes[type] : undefined;
  if (
    dtype === undefined ||
    !(order === "<" || order === ">" || (order === "|" && dtypeBytes[dtype] === 1))
  ) {
    const known = Object.keys(npyTypes).join(", ");
    throw new FormatError(
      `${name} has elements of type ${describe(descr)}, expected < or > and one of ${known}`,
    );
  }
  return { dtype, bigEndian: order === ">" };
}

type Value = string | boolean | number[];

/** Read a Python dictionary of texts, booleans and tuples of integers: what the format allows, and no more. */
function parseDictionary(text: string, name: string): Record<string, Value> {
  const tokens = /\s*(?:([{}(),:])|'([^'\\]*)'|"([^"\\]*)"|(True|False)|(-?\d+)L?|(\S))/y;
  let matched = tokens.exec(text);
  const found: Record<string, Value> = Object.create(null);

  function accept(sign: string): boolean {
    if (matched?.[1] !== sign) return false;
    matched = tokens.exec(text);
    return true;
  }

  function expect(sign: string): void {
    if (!accept(sign))
      throw malformed(name, `expected ${sign} and found ${describe(matched?.[0] ?? "its end")}`);
  }

  function value(): Value {
    if (accept("(")) {
      const sizes: number[] = [];
      while (!accept(")")) {
        if (matched?.[5] === undefined) throw malformed(name, "a tuple holds something other than integers");
        sizes.push(Number(matched[5]));
        matched = tokens.exec(text);
        if (matched?.[1] !== ")") expect(",");
      }
      return sizes;
    }
    if (matched?.[6] === "[") {
      throw new FormatError(`${name} holds records of several fields, expected an array of numbers`);
    }
    const word = matched?.[2] ?? matched?.[3];
    const truth = matched?.[4];
    if (word === undefined && truth === undefined) {
      throw malformed(name, `found ${describe(matched?.[0] ?? "its end")} in place of a value`);
    }
    matched = tokens.exec(text);
    return word ?? truth === "True";
  }

  expect("{");
  while (!accept("}")) {
    const key = matched?.[2] ?? matched?.[3];
    if (
      key === undefined ||
      (key !== "descr" && key !== "fortran_order" && key !== "shape") ||
      key in found
    ) {
      throw malformed(
        name,
        `found the key ${describe(key ?? matched?.[0])}, expected descr, fortran_order, shape`,
      );
    }
    matched = tokens.exec(text);
    expect(":");
    found[key] = value();
    if (matched?.[1] !== "}") expect(",");
  }
  if (matched !== null) throw malformed(name, `found ${describe(matched[0])} behind it`);
  return found;
}

function malformed(name: string, fault: string): FormatError {
  return new FormatError(`${name} has a malformed npy header: ${fault}`);
}

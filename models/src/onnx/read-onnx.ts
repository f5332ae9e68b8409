import { type ByteSource, FormatError, UnsupportedError } from "@saestitch/core";
import { describeFile } from "./describe-file.ts";
import { type FileField, FileFields } from "./file-fields.ts";
import { readMessage } from "./message.ts";
import type { OnnxInitializer, OnnxModel, OnnxNode, OnnxValue } from "./onnx-model.ts";
import { orderNodes } from "./order-nodes.ts";
import { readInitializer } from "./read-initializer.ts";
import { readNode } from "./read-node.ts";
import { readValue } from "./read-value.ts";
import { joinBytes } from "./write-message.ts";

/** Numbers of the fields of a ModelProto. */
export const modelFields = { graph: 7, opset: 8, functions: 25 };

/** Numbers of the fields of a GraphProto. */
export const graphFields = {
  node: 1,
  name: 2,
  initializer: 5,
  input: 11,
  output: 12,
  value: 13,
  sparseInitializer: 15,
};

/**
 * Read an ONNX file as a value, by ranges. Raw values of an initializer of more than `inlineLimit` bytes (default 4096) are not read: they are
 * referred to as external data, in a file of the base name of the source. Rejects with {@link FormatError} when the file is not ONNX, is cut
 * short, contradicts itself, or keeps values outside its folder; {@link UnsupportedError} when it has sparse initializers.
 *
 * Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export async function readOnnx(
  source: ByteSource,
  { inlineLimit = 4096 }: { readonly inlineLimit?: number } = {},
): Promise<OnnxModel> {
  const { name, byteLength } = source;
  if (byteLength === 0) throw new FormatError(`${name} is empty, expected an ONNX model`);
  try {
    return await new ModelReader(source, inlineLimit).read();
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    const looks = describeFile(await source.read(0, Math.min(256, byteLength)));
    if (looks === undefined) throw cause;
    throw new FormatError(`${name} is not an ONNX model: it looks like ${looks}`, { cause });
  }
}

class ModelReader {
  readonly #source: ByteSource;
  readonly #inlineLimit: number;
  readonly #fields: FileFields;
  readonly #preamble: Uint8Array[] = [];
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = new Map<string, OnnxInitializer>();
  readonly #inputs = new Map<string, OnnxValue>();
  readonly #outputs = new Map<string, OnnxValue>();
  readonly #values = new Map<string, OnnxValue>();

  constructor(source: ByteSource, inlineLimit: number) {
    this.#source = source;
    this.#inlineLimit = inlineLimit;
    this.#fields = new FileFields(source);
  }

  async read(): Promise<OnnxModel> {
    const { name: location, byteLength } = this.#source;
    let hasGraph = false;
    for await (const field of this.#fields.fields(0, byteLength, location)) {
      if (field.number === modelFields.graph) {
        hasGraph = true;
        await this.#graph(field);
      } else this.#preamble.push(await this.#fields.bytes(field.tagStart, field.end));
    }
    if (!hasGraph) throw new FormatError(`${location} has no graph, expected an ONNX model`);
    const preamble = joinBytes(this.#preamble);
    const opset = readPreamble(preamble, location);
    const inputs = [...this.#inputs.values()].filter(({ name }) => !this.#initializers.has(name));
    const given = [...this.#initializers.keys(), ...inputs.map(({ name }) => name)];
    const nodes = orderNodes(this.#nodes, given, location);
    const outputs = [...this.#outputs.values()];
    this.#checkOutputs(outputs, nodes, given);
    return {
      location,
      opset,
      preamble,
      nodes,
      initializers: this.#initializers,
      inputs,
      outputs,
      values: this.#values,
    };
  }

  async #graph(graph: FileField): Promise<void> {
    const { name: location } = this.#source;
    for await (const field of this.#fields.fields(graph.start, graph.end, location)) {
      if (field.number === graphFields.sparseInitializer) {
        throw new UnsupportedError(`${location} has sparse initializers, expected dense ones`);
      }
      if (field.number === graphFields.initializer) this.#add(this.#initializers, await this.#tensor(field));
      else if (field.number === graphFields.node) {
        const bytes = await this.#fields.bytes(field.start, field.end);
        this.#nodes.push(readNode(bytes, `Node ${this.#nodes.length} of ${location}`));
      } else if (field.number === graphFields.input) this.#add(this.#inputs, await this.#value(field));
      else if (field.number === graphFields.output) this.#add(this.#outputs, await this.#value(field));
      else if (field.number === graphFields.value) {
        const value = await this.#value(field);
        this.#values.set(value.name, value);
      }
    }
  }

  #tensor(field: FileField): Promise<OnnxInitializer> {
    const { name: location } = this.#source;
    return readInitializer(this.#fields, field, {
      file: baseName(location),
      inlineLimit: this.#inlineLimit,
      label: `Initializer ${this.#initializers.size} of ${location}`,
    });
  }

  async #value(field: FileField): Promise<OnnxValue> {
    return readValue(
      await this.#fields.bytes(field.start, field.end),
      `The description of a value of ${this.#source.name}`,
    );
  }

  #add<T extends { readonly name: string }>(to: Map<string, T>, named: T): void {
    if (to.has(named.name))
      throw new FormatError(`${this.#source.name} has two values named ${JSON.stringify(named.name)}`);
    to.set(named.name, named);
  }

  #checkOutputs(outputs: readonly OnnxValue[], nodes: readonly OnnxNode[], given: readonly string[]): void {
    if (outputs.length === 0) throw new FormatError(`The graph of ${this.#source.name} has no outputs`);
    const made = new Set([...given, ...nodes.flatMap((node) => node.outputs)]);
    const missing = outputs.find(({ name }) => name === "" || !made.has(name));
    if (missing === undefined) return;
    throw new FormatError(
      `${this.#source.name} has the output ${JSON.stringify(missing.name)}, which nothing in it makes`,
    );
  }
}

/** The version of ONNX's own operators; functions are looked through for values that lie outside the folder. */
function readPreamble(preamble: Uint8Array, location: string): number {
  let opset: number | undefined;
  readMessage(preamble, location, (field) => {
    if (field.number === modelFields.opset) {
      const { domain, version } = readOpset(field.bytes(), location);
      if (domain === "" || domain === "ai.onnx") opset = version;
    } else if (field.number === modelFields.functions) {
      readMessage(field.bytes(), location, (part) => {
        if (part.number === 7) readNode(part.bytes(), `A node of a function of ${location}`);
      });
    }
  });
  if (opset === undefined)
    throw new FormatError(`${location} does not state its version of the operators of ONNX (opset)`);
  if (Number.isSafeInteger(opset) && opset > 0) return opset;
  throw new FormatError(
    `${location} states the version ${opset} of the operators of ONNX, expected a positive integer`,
  );
}

function readOpset(bytes: Uint8Array, location: string): { domain: string; version: number } {
  let domain = "";
  let version = 0;
  readMessage(bytes, location, (field) => {
    if (field.number === 1) domain = field.text();
    else if (field.number === 2) version = field.integer();
  });
  return { domain, version };
}

/** The last part of a path or address. */
function baseName(location: string): string {
  const parts = location.replace(/[?#].*$/, "").split(/[/\\]/);
  return parts[parts.length - 1];
}

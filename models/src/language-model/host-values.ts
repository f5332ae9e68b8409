import { encodeElements, toFloat32, UnsupportedError } from "@saestitch/core";
import type { HostTensor, TensorType } from "../engine/engine.ts";

/** Values of a tensor of floats as float32; float32 is not copied. Throws {@link UnsupportedError} for other types. */
export function floatValues({ type, data }: HostTensor): Float32Array<ArrayBuffer> {
  switch (type) {
    case "float32":
      return data as Float32Array<ArrayBuffer>;
    case "float64":
      return Float32Array.from(data as Float64Array);
    case "float16":
      return toFloat32(new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength), "F16");
    default:
      throw new UnsupportedError(
        `Cannot read activations of type ${type}: expected float32, float16 or float64`,
      );
  }
}

/** Float32 values as a tensor of another type, in memory of its own; what float16 cannot hold becomes infinite. */
export function floatTensor(values: Float32Array, type: TensorType, dims: readonly number[]): HostTensor {
  switch (type) {
    case "float32":
      return { type, dims, data: Float32Array.from(values) };
    case "float64":
      return { type, dims, data: Float64Array.from(values) };
    case "float16":
      return { type, dims, data: new Uint16Array(encodeElements(values, "F16").buffer) };
    default:
      throw new UnsupportedError(
        `Cannot replace a value of type ${type}: expected float32, float16 or float64`,
      );
  }
}

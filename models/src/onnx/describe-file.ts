const beginnings: readonly (readonly [RegExp, string])[] = [
  [/^version https:\/\/git-lfs/, "a Git LFS pointer: the file itself was not downloaded; run git lfs pull"],
  [/^\s*<(!doctype html|html|\?xml|!--)/i, "a web page, perhaps the page of the file instead of the file"],
  [/^.{8}\{"/s, "a safetensors file: weights without a graph"],
  [/^PK[^A-Za-z]{2}/, "a zip archive, as PyTorch writes weights"],
  [/^\x80/, "a Python pickle"],
  [/^GGUF/, "a GGUF file"],
  [/^\x89HDF/, "an HDF5 file"],
  [/^.{4}ORTM/s, "a model in ONNX Runtime's own format (.ort)"],
  [/^.{4}TFL3/s, "a TensorFlow Lite model"],
  [/^\s*[{[]/, "JSON"],
  [/^[\t\n\r\x20-\x7e]{16}/, "plain text"],
];

/** What a file that is no ONNX model looks like by its first bytes; nothing when they tell nothing. */
export function describeFile(start: Uint8Array): string | undefined {
  const text = String.fromCharCode(...start.subarray(0, 256));
  return beginnings.find(([pattern]) => pattern.test(text))?.[1];
}

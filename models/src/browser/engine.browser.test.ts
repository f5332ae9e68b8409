import * as onnxruntime from "onnxruntime-web";
import { testEngine } from "../engine/engine.conformance.ts";
import { createOrtEngine } from "../engine/ort-engine.ts";

testEngine(async () =>
  createOrtEngine(onnxruntime, {
    name: `ONNX Runtime ${onnxruntime.env.versions.web}, wasm`,
    options: { executionProviders: ["wasm"] },
  }),
);

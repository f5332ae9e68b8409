import { bytesSource } from "@saestitch/core";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { testLanguageModels } from "../language-model/language-model.conformance.ts";
import { openBrowserModel } from "./open-browser-model.ts";

/** Enough to see that the engine for browsers does what the one for Node does: weights inside, outside, and in float16. */
const names = ["gpt2-optimum", "gpt2-fused", "llama-external", "llama-fp16", "gemma2-dynamo"];

testLanguageModels(names, async (name) => {
  const open = async (file: string) => bytesSource(file, await readFixture(`models/${name}/${file}`));
  return openBrowserModel(await open("model.onnx"), { openData: open });
});

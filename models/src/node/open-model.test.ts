import { fileURLToPath } from "node:url";
import { exportedModels, testLanguageModels } from "../language-model/language-model.conformance.ts";
import { openModel } from "./open-model.ts";

const fixtures = fileURLToPath(new URL("../../../fixtures/models/", import.meta.url));

testLanguageModels(
  exportedModels.map(([name]) => name),
  async (name) => (await openModel(`${fixtures}${name}`, { threads: 1 })).model,
);

import { describe } from "vitest";
import { testEngine } from "../engine/engine.conformance.ts";
import { openLocalEngine } from "./local-engine.ts";
import { openEngine } from "./open-engine.ts";

describe("ONNX Runtime in this thread", () => testEngine(() => openLocalEngine({ threads: 1 })));

describe("ONNX Runtime on a thread of its own", () => testEngine(() => openEngine({ threads: 1 })));

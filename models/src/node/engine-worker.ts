import { parentPort, workerData } from "node:worker_threads";
import { type EngineServerPort, serveEngine } from "../engine/serve-engine.ts";
import { guarded } from "./exit-guard.ts";
import { openLocalEngine } from "./local-engine.ts";
import type { EngineThreadData } from "./open-engine.ts";

const { options, guard } = workerData as EngineThreadData;
serveEngine(parentPort as unknown as EngineServerPort, () =>
  openLocalEngine(options, (work) => guarded(guard, work)),
);

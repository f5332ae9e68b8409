import { parentPort, workerData } from "node:worker_threads";
import { type EngineServerPort, serveEngine } from "../engine/serve-engine.ts";
import { type EngineOptions, openLocalEngine } from "./local-engine.ts";

serveEngine(parentPort as unknown as EngineServerPort, () => openLocalEngine(workerData as EngineOptions));

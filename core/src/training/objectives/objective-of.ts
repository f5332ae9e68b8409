import type { TrainingOptions } from "../training-options.ts";
import { batchTopkObjective } from "./batchtopk.ts";
import { gatedObjective } from "./gated.ts";
import { jumpreluObjective } from "./jumprelu.ts";
import type { Objective } from "./objective.ts";
import { reluObjective } from "./relu.ts";
import { topkObjective } from "./topk.ts";

/** The objective of an architecture. */
export function objectiveOf({ architecture, latents }: TrainingOptions): Objective {
  switch (architecture.kind) {
    case "topk":
      return topkObjective(latents, architecture.k);
    case "batchtopk":
      return batchTopkObjective(latents, architecture.k);
    case "matryoshka":
      return batchTopkObjective(latents, architecture.k, architecture.prefixes);
    case "relu":
      return reluObjective(latents, architecture);
    case "jumprelu":
      return jumpreluObjective(latents, architecture);
    case "gated":
      return gatedObjective(latents, architecture);
    default:
      return architecture satisfies never;
  }
}

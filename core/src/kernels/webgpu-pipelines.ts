import { prepareShader } from "./prepare.wgsl.ts";
import { raiseShader } from "./raise.wgsl.ts";
import { screenShader, type Tile } from "./screen.wgsl.ts";
import type { GpuContext } from "./webgpu-context.ts";
import type { GpuPipeline } from "./webgpu-device.ts";

/** The compute pipelines of the screen, compiled when first asked for. */
export class GpuPipelines {
  readonly #gpu: GpuContext;
  readonly #compiled = new Map<string, Promise<GpuPipeline>>();

  constructor(gpu: GpuContext) {
    this.#gpu = gpu;
  }

  get prepare(): Promise<GpuPipeline> {
    return this.#compile("prepare", () => prepareShader);
  }

  get raise(): Promise<GpuPipeline> {
    return this.#compile("raise", () => raiseShader);
  }

  screen(tile: Tile): Promise<GpuPipeline> {
    return this.#compile(`screen ${tile.size}`, () => screenShader(tile));
  }

  #compile(name: string, codeOf: () => string): Promise<GpuPipeline> {
    const known = this.#compiled.get(name);
    if (known !== undefined) return known;
    const module = this.#gpu.checked(() => this.#gpu.device.createShaderModule({ code: codeOf() }));
    const pipeline = this.#gpu.device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    this.#compiled.set(name, pipeline);
    return pipeline;
  }
}

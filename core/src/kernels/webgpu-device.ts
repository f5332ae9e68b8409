import { UnsupportedError } from "../errors.ts";

/*
 * The part of the WebGPU API that is used here. Node's types lack it, and a page's `GPUDevice` fits: what is taken from it is no
 * narrower, what is given to it no wider.
 */

export interface GpuBuffer {
  readonly size: number;
  mapAsync(mode: number, offset?: number, size?: number): Promise<unknown>;
  getMappedRange(offset?: number, size?: number): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

export interface GpuPipeline {
  getBindGroupLayout(index: number): object;
}

export interface GpuPass {
  setPipeline(pipeline: GpuPipeline): void;
  setBindGroup(index: number, group: object | null | undefined): void;
  dispatchWorkgroups(x: number, y?: number, z?: number): void;
  end(): void;
}

export interface GpuCommands {
  beginComputePass(): GpuPass;
  copyBufferToBuffer(
    source: GpuBuffer,
    sourceOffset: number,
    target: GpuBuffer,
    targetOffset: number,
    size: number,
  ): void;
  clearBuffer(buffer: GpuBuffer, offset?: number, size?: number): void;
  finish(): object;
}

export interface GpuLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
}

export interface GpuDevice {
  readonly limits: GpuLimits;
  readonly adapterInfo: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
  };
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly queue: {
    submit(commands: Iterable<object>): void;
    writeBuffer(
      buffer: GpuBuffer,
      offset: number,
      data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
    ): void;
  };
  createBuffer(descriptor: { readonly size: number; readonly usage: number }): GpuBuffer;
  createShaderModule(descriptor: { readonly code: string }): object;
  createComputePipelineAsync(descriptor: {
    readonly layout: "auto" | object;
    readonly compute: { readonly module: object };
  }): Promise<GpuPipeline>;
  createBindGroup(descriptor: {
    readonly layout: object;
    readonly entries: Iterable<{ readonly binding: number; readonly resource: object }>;
  }): object;
  createCommandEncoder(): GpuCommands;
  pushErrorScope(filter: "validation" | "out-of-memory" | "internal"): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
  destroy(): void;
}

/** `navigator.gpu` of a page, or what stands for it elsewhere. */
export interface Gpu<Device extends GpuDevice> {
  requestAdapter(options: { readonly powerPreference: "high-performance" }): Promise<{
    readonly limits: GpuLimits;
    requestDevice(descriptor: { readonly requiredLimits: Record<string, number> }): Promise<Device>;
  } | null>;
}

/**
 * A device on the fastest adapter, with buffers as large as the adapter allows. Rejects with an {@link UnsupportedError} when there is
 * no adapter.
 */
export async function requestGpuDevice<Device extends GpuDevice>(gpu: Gpu<Device>): Promise<Device> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null)
    throw new UnsupportedError("Cannot open a GPU: WebGPU finds no adapter; a driver may be missing");
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  return adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
}

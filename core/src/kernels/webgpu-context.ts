import type { GpuBuffer, GpuCommands, GpuDevice, GpuPass, GpuPipeline } from "./webgpu-device.ts";

/** What a buffer is for, by the numbers of the WebGPU specification. */
const usages = {
  storage: 0x80 | 0x08 | 0x04,
  uniform: 0x40 | 0x08,
  upload: 0x02 | 0x04,
  download: 0x01 | 0x08,
} as const;

const MAP_READ = 1;
const MAP_WRITE = 2;

/** Buffers of one device by name, commands to it, and what it says is wrong with them. */
export class GpuContext {
  readonly device: GpuDevice;
  readonly #buffers = new Map<string, GpuBuffer>();
  #uploads = 0;
  #errors: Promise<{ readonly message: string } | null>[] = [];
  #lost: string | null = null;

  constructor(device: GpuDevice) {
    this.device = device;
    void device.lost.then(({ reason, message }) => {
      this.#lost = `${message || "no message"} (${reason || "unknown reason"})`;
    });
  }

  /**
   * Do something of which {@link failure} is to tell. Scopes open and close within one turn, so that they do not mix with those of
   * others who use the device.
   */
  checked<Result>(work: () => Result): Result {
    const filters = ["validation", "out-of-memory", "internal"] as const;
    for (const filter of filters) this.device.pushErrorScope(filter);
    try {
      return work();
    } finally {
      for (const _ of filters) this.#errors.push(this.device.popErrorScope());
    }
  }

  /** A buffer of at least `bytes` bytes; what it held is gone if it had to grow. */
  reserve(name: string, bytes: number, usage: keyof typeof usages): GpuBuffer {
    const known = this.#buffers.get(name);
    if (known !== undefined && known.size >= bytes) return known;
    known?.destroy();
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const buffer = this.checked(() => this.device.createBuffer({ size, usage: usages[usage] }));
    this.#buffers.set(name, buffer);
    return buffer;
  }

  /**
   * Bring values, of shared memory too, to where the device can copy from: one of two buffers of `most` values in turn, as soon as the device
   * has read what was in it.
   */
  async upload(values: Float32Array, most: number): Promise<GpuBuffer> {
    this.#uploads++;
    const buffer = this.reserve(`upload ${this.#uploads % 2}`, 4 * most, "upload");
    await this.checked(() => buffer.mapAsync(MAP_WRITE));
    new Float32Array(buffer.getMappedRange(), 0, values.length).set(values);
    buffer.unmap();
    return buffer;
  }

  /** The first `bytes` bytes of a buffer, once all that was submitted is done. */
  async download(source: GpuBuffer, bytes: number): Promise<ArrayBuffer> {
    const buffer = this.reserve("download", bytes, "download");
    this.submit((commands) => commands.copyBufferToBuffer(source, 0, buffer, 0, bytes));
    await this.checked(() => buffer.mapAsync(MAP_READ));
    const copy = buffer.getMappedRange().slice(0, bytes);
    buffer.unmap();
    return copy;
  }

  /** Write plain numbers at the beginning of a buffer, after all that was submitted. */
  write(buffer: GpuBuffer, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
    this.checked(() => this.device.queue.writeBuffer(buffer, 0, data));
  }

  submit(record: (commands: GpuCommands) => void): void {
    this.checked(() => {
      const commands = this.device.createCommandEncoder();
      record(commands);
      this.device.queue.submit([commands.finish()]);
    });
  }

  /** Add a dispatch of so many workgroups to a pass; `buffers` are the bindings of the pipeline, in order. */
  dispatch(pass: GpuPass, pipeline: GpuPipeline, buffers: readonly GpuBuffer[], x: number, y = 1): void {
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(x, y);
  }

  /** What went wrong since last asked, on the device if it says so, else what was thrown; null when nothing did. */
  async failure(thrown?: unknown): Promise<Error | null> {
    const errors = await Promise.all(this.#errors.splice(0));
    if (this.#lost !== null) return new Error(`the device was lost: ${this.#lost}`, { cause: thrown });
    const said = errors.find((error) => error !== null);
    if (said !== undefined) return new Error(said.message, { cause: said });
    if (thrown === undefined) return null;
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }

  /** Free all buffers. */
  destroy(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }
}

import type { SparseCode } from "../tensor/sparse-code.ts";
import type { KernelPort, KernelReply, KernelTask } from "./kernel-messages.ts";

interface Job {
  readonly task: KernelTask;
  readonly resolve: (result: SparseCode | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Tasks that a worker holds, so that it need not wait for this thread, which may be busy, between two of them. */
const TASKS_PER_WORKER = 2;

/**
 * Tasks for a fixed set of workers: whichever has finished one of its tasks takes the next that waits.
 *
 * A task that throws rejects alone. A worker that dies ends the queue: everything unfinished, and every later task, rejects
 * with its message.
 */
export class TaskQueue {
  readonly #ports: readonly KernelPort[];
  /** Every worker as often as it has room for a task, the next to take one last. */
  readonly #free: KernelPort[];
  /** What each worker holds, in the order of its answers. */
  readonly #held = new Map<KernelPort, Job[]>();
  #waiting: Job[] = [];
  #ended: string | null = null;

  constructor(ports: readonly KernelPort[]) {
    this.#ports = ports;
    this.#free = Array.from({ length: TASKS_PER_WORKER }, () => [...ports].reverse()).flat();
    for (const port of ports) {
      this.#held.set(port, []);
      port.onmessage = ({ data }) => this.#finish(port, data);
      port.onerror = ({ message }) =>
        void this.end(`a worker failed: ${message || "it could not be loaded"}`);
    }
  }

  run(task: KernelTask): Promise<SparseCode | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== null) {
        reject(failure(task, this.#ended));
        return;
      }
      this.#waiting.push({ task, resolve, reject });
      this.#dispatch();
    });
  }

  /** Stop all workers; what is unfinished and what comes later rejects for this reason. */
  async end(reason: string): Promise<void> {
    if (this.#ended !== null) return;
    this.#ended = reason;
    const unfinished = [...[...this.#held.values()].flat(), ...this.#waiting];
    this.#held.clear();
    this.#waiting = [];
    for (const { task, reject } of unfinished) reject(failure(task, reason));
    await Promise.all(this.#ports.map((port) => port.terminate()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const port = this.#free.pop();
      if (port === undefined) return;
      const job = this.#waiting.shift()!;
      this.#held.get(port)!.push(job);
      port.postMessage(job.task);
    }
  }

  #finish(port: KernelPort, reply: KernelReply): void {
    const job = this.#held.get(port)?.shift();
    if (job === undefined) return;
    this.#free.push(port);
    if ("error" in reply) job.reject(failure(job.task, reply.error));
    else job.resolve(reply.result);
    this.#dispatch();
  }
}

function failure(task: KernelTask, reason: string): Error {
  return new Error(`Cannot ${task.kind === "open" ? "open the kernels" : task.kind}: ${reason}`);
}

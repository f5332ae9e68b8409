/** The user asked the work to stop (Ctrl-C, or a signal to terminate), and it did. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

type Signal = "SIGINT" | "SIGTERM";

/** Exit codes a shell expects of a program ended by these signals. */
const exitCodes: Readonly<Record<Signal, number>> = { SIGINT: 130, SIGTERM: 143 };

/**
 * What Ctrl-C does: it ends the process at once, unless work that can stop in an orderly way is under way; then it asks that
 * work to stop, and only a second signal ends the process at once.
 */
export class Interruption {
  #received: Signal | undefined;
  #work: AbortController | undefined;

  /** Take over the signals of this process until it ends; `leave` ends it. */
  constructor(leave: (exitCode: number) => void) {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (this.#work === undefined || this.#received !== undefined) leave(exitCodes[signal]);
        this.#received = signal;
        this.#work?.abort();
      });
    }
  }

  /** The exit code that fits the signal received last. */
  get exitCode(): number {
    return exitCodes[this.#received ?? "SIGINT"];
  }

  /** Do `work`, which watches the signal it is given and stops, when that is aborted, by rejecting or by ending early. */
  async during<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    this.#work = new AbortController();
    try {
      return await work(this.#work.signal);
    } finally {
      this.#work = undefined;
    }
  }
}

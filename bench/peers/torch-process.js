import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/**
 * How PyTorch's memory is handed out. `plain`: as installed. `tuned`: glibc neither maps nor gives back large blocks, which spares
 * the page faults of fresh tensors of hundreds of MiB; ordinary users do not set it.
 *
 * @type {Readonly<Record<string, Readonly<Record<string, string>>>>}
 */
export const allocators = {
  plain: {},
  tuned: {
    MALLOC_MMAP_MAX_: "0",
    MALLOC_MMAP_THRESHOLD_: String(2 ** 33),
    MALLOC_TRIM_THRESHOLD_: String(2 ** 36),
    MALLOC_TOP_PAD_: String(2 ** 28),
  },
};

/** The Python that has bench/peers/torch-requirements.txt; undefined, with a message printed, when none is named. */
export function peersPython() {
  const python = process.env.SAESTITCH_PEERS_PYTHON;
  if (python === undefined) {
    console.log(
      "nothing measured: set SAESTITCH_PEERS_PYTHON to a Python that has bench/peers/torch-requirements.txt",
    );
  }
  return python;
}

/**
 * A Python script of this folder that answers one line of JSON with one line of JSON, and does nothing in between.
 *
 * @param {string} python
 * @param {string} script
 * @param {{ threads: number, allocator?: keyof typeof allocators }} options
 */
export function startTorch(python, script, { threads, allocator = "plain" }) {
  const child = spawn(
    python,
    ["-B", "-W", "ignore", fileURLToPath(new URL(script, import.meta.url)), "--threads", String(threads)],
    {
      stdio: ["pipe", "pipe", "inherit"],
      env: {
        ...withoutMathSettings(),
        ...allocators[allocator],
        OMP_NUM_THREADS: String(threads),
        MKL_NUM_THREADS: String(threads),
      },
    },
  );
  /** @type {{ resolve: (answer: any) => void, reject: (error: Error) => void }[]} */
  const waiting = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.resolve(JSON.parse(line)));
  const ended = new Promise((resolve) => {
    child.on("error", (error) => fail(error.message));
    child.on("exit", (status, signal) => {
      fail(`it ended with ${signal ?? `status ${status}`}`);
      resolve(undefined);
    });
  });
  const fail = (/** @type {string} */ reason) => {
    for (const { reject } of waiting.splice(0)) reject(new Error(`${python} ${script}: ${reason}`));
  };
  // A write to a process that has ended is reported by its exit.
  child.stdin.on("error", () => {});
  return {
    /** @param {object} message @returns {Promise<any>} */
    ask(message) {
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(message)}\n`);
      });
    },
    close() {
      child.stdin.end();
      return ended;
    },
  };
}

/** Settings that hold PyTorch's products back from the instructions of the machine would make the comparison unfair. */
function withoutMathSettings() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(OPENBLAS|MKL|OMP|KMP|GOMP|ATEN|MALLOC)_/.test(name)),
  );
}

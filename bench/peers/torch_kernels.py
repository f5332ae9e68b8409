"""Times the operations of `torch_operations.py` on request.

    python torch_kernels.py --threads 2

Reads one JSON message a line and answers each with one line; `bench/against-torch.js` is who asks. Inputs are files of raw
little-endian numbers. `prepare` times all formulations of an operation and keeps the fastest for `time`, so that the shape, the
threads and the allocator decide, not we.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch
from torch_operations import OPERATIONS, Case, Result


def calls(run, at_least: float) -> list[float]:
    """Seconds of calls that together take `at_least` seconds."""
    taken = []
    while sum(taken) < at_least:
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return taken


def as_numbers(case: Case, result: Result) -> torch.Tensor:
    """What a result says, in one order for all formulations: codes become dense."""
    if not case.op.startswith("encode"):
        return torch.cat([part.float().flatten() for part in result]) if isinstance(result, tuple) else result.flatten()
    if not isinstance(result, tuple):
        return result.to_dense().flatten()
    rows, latents, values = result
    dense = torch.zeros(case.shape["b"], case.shape["m"])
    dense[rows.flatten(), latents.flatten()] = values.flatten()
    return dense.flatten()


def entries(case: Case, result: Result) -> int | None:
    """How many activations a code holds; those that ReLU made zero do not count."""
    if not case.op.startswith("encode"):
        return None
    return int((result[2] if isinstance(result, tuple) else result.values()).count_nonzero())


def status(field: str) -> int:
    """Kibibytes of a field of /proc/self/status."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1])


class Server:
    def __init__(self) -> None:
        self.run = None

    def environment(self, _) -> dict:
        return {
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "mkl": torch.backends.mkl.is_available(),
        }

    def check(self, message: dict) -> dict:
        """Write what every formulation gives into files, for comparison; each starts from inputs read anew."""
        written = []
        for at, name in enumerate(OPERATIONS[message["op"]](Case(message))):
            case = Case(message)
            numbers = as_numbers(case, OPERATIONS[case.op](case)[name]()())
            path = f"{message['folder']}/torch-{at}.f32"
            numbers.detach().numpy().astype("<f4").tofile(path)
            written.append({"formulation": name, "path": path})
        return {"results": written}

    def prepare(self, message: dict) -> dict:
        """Time every formulation and keep the fastest."""
        self.run = None
        case = Case(message)
        times: dict[str, float] = {}
        for name, make in OPERATIONS[case.op](case).items():
            run = make()
            start = time.perf_counter()
            result = run()
            first = time.perf_counter() - start
            # A long first call is as good as any; of short ones the fastest is the one that nothing disturbed.
            times[name] = first if first > 2 else min(calls(run, max(message["atLeast"], 2 * first)))
            if times[name] == min(times.values()):
                fastest, self.run, found = name, run, entries(case, result)
            del run, result
        return {"formulation": fastest, "seconds": times, "entries": found}

    def time(self, message: dict) -> dict:
        return {"seconds": statistics.median(calls(self.run, message["atLeast"]))}

    def memory(self, message: dict) -> dict:
        """KiB that a formulation takes beyond the inputs, its buffers and results among them."""
        self.run = None
        case = Case(message)
        for name in case.files:
            getattr(case, name)
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        result = OPERATIONS[case.op](case)[message["formulation"]]()()
        del result
        return {"kibibytes": status("VmHWM") - before}

    def release(self, _) -> dict:
        self.run = None
        return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    torch.set_num_threads(parser.parse_args().threads)
    server = Server()
    for line in sys.stdin:
        message = json.loads(line)
        print(json.dumps(getattr(server, message["do"])(message)), flush=True)


if __name__ == "__main__":
    main()

"""`label` as a careful user of PyTorch would write it: the effect of inserting every latent of a larger SAE into a smaller, in one pass.

    python torch_label.py --threads 2

Reads one JSON message a line and answers each with one line; `bench/label-against-torch.js` is who asks. The SAEs (ReLU) and the
activations are read from the files that ours reads. As ours it gives for each latent of the larger SAE the change of the MSE, its
standard error with every token on its own, the nearest latent of the smaller SAE with its cosine, and the correlation with that one's
activations; and the MSE and the L0 of both SAEs. It leaves out what ours makes of these in the end: p-values, verdicts, the
predictor with its bootstrap and its random directions.

Dense where dense is best: pre-activations, by `addmm` into buffers made once. Sparse where sparse is best: only active latents are
decoded (`embedding_bag`), projected (the gradient of its weights) and summed up. Of 1024, 2048 and 4096 rows a batch the
fastest is taken, as measured on a part of the sample.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """The float32 tensors of a safetensors file; its pages are read when they are used."""
    memory = numpy.memmap(path, dtype=numpy.uint8, mode="c")
    start = 8 + int(memory[:8].view("<u8")[0])
    header = json.loads(bytes(memory[8:start]))
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = (start + offset for offset in entry["data_offsets"])
        # Copied, since nothing says that the data begin where float32 may.
        values = numpy.frombuffer(memory[first:last].tobytes(), dtype="<f4") if first % 4 else memory[first:last].view("<f4")
        found[name] = torch.from_numpy(values).view(entry["shape"])
    return found


class Sae:
    def __init__(self, folder: Path):
        tensors = tensors_of(folder / "sae_weights.safetensors")
        # Copied into memory that PyTorch lines up itself.
        self.encoder, self.decoder = tensors["W_enc"].clone(), tensors["W_dec"].clone()
        self.bias, self.output = tensors["b_enc"].clone(), tensors["b_dec"].clone()
        self.latents = len(self.bias)

    def encode(self, x: torch.Tensor, buffer: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The active latents, row by row: where each row begins, latents, activations, rows; and all activations, in the buffer."""
        dense = torch.addmm(self.bias, x, self.encoder, out=buffer[: len(x)]).relu_()
        rows, latents = dense.nonzero(as_tuple=True)
        offsets = torch.searchsorted(rows, torch.arange(len(x) + 1))
        return offsets, latents, dense[rows, latents], rows, dense

    def residual(self, x: torch.Tensor, offsets, latents, activations) -> torch.Tensor:
        decoded = F.embedding_bag(
            latents, self.decoder, offsets, mode="sum", per_sample_weights=activations, include_last_offset=True
        )
        return (x - self.output).sub_(decoded)


def projections(directions: torch.Tensor, offsets, latents, rows: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    """⟨direction, residual⟩ of each entry, as PyTorch takes the gradient of an embedding bag with respect to its weights."""
    return torch.ops.aten._embedding_bag_per_sample_weights_backward(
        residual, directions, latents, offsets, rows, 0, -1
    )


def nearest(directions: torch.Tensor, among: torch.Tensor, rows: int = 2048) -> tuple[torch.Tensor, torch.Tensor]:
    """The row of `among` with the highest cosine to each direction."""
    among = F.normalize(among, dim=1).T
    buffer = torch.empty(rows, among.shape[1])
    cosines, matches = torch.empty(len(directions)), torch.empty(len(directions), dtype=torch.int64)
    for start in range(0, len(directions), rows):
        part = F.normalize(directions[start : start + rows], dim=1)
        end = start + len(part)
        torch.max(
            torch.mm(part, among, out=buffer[: len(part)]), dim=1, out=(cosines[start:end], matches[start:end])
        )
    return cosines, matches


def summed(latents: torch.Tensor, values: torch.Tensor, m: int) -> torch.Tensor:
    return torch.bincount(latents, weights=values, minlength=m)


@torch.no_grad()
def label(smaller: Sae, larger: Sae, sample: torch.Tensor, batch: int) -> dict[str, torch.Tensor]:
    m, n, d = larger.latents, *sample.shape
    cosine, match = nearest(larger.decoder, smaller.decoder)
    norms = larger.decoder.square().sum(1).double()
    host_buffer, donor_buffer = torch.empty(batch, smaller.latents), torch.empty(batch, m)
    delta, squares = torch.zeros(m, dtype=torch.float64), torch.zeros(m, dtype=torch.float64)
    moments = {name: torch.zeros(size, dtype=torch.float64) for name, size in (
        ("donor", m), ("donor squares", m), ("host", smaller.latents), ("host squares", smaller.latents), ("product", m),
    )}  # fmt: skip
    errors, entries = [0.0, 0.0], [0, 0]
    for start in range(0, n, batch):
        x = sample[start : start + batch]
        *host, host_rows, host_dense = smaller.encode(x, host_buffer)
        *donor, donor_rows, _ = larger.encode(x, donor_buffer)
        residual = smaller.residual(x, *host)
        for at, one in enumerate((residual, larger.residual(x, *donor))):
            errors[at] += one.square().sum(dtype=torch.float64).item()
        offsets, latents, activations = donor
        f = activations.double()
        projected = projections(larger.decoder, offsets, latents, donor_rows, residual).double()
        effect = f * f * norms[latents] - 2 * f * projected
        delta += summed(latents, effect, m)
        squares += summed(latents, effect * effect, m)
        moments["donor"] += summed(latents, f, m)
        moments["donor squares"] += summed(latents, f * f, m)
        moments["product"] += summed(latents, f * host_dense[donor_rows, match[latents]], m)
        g = host[2].double()
        moments["host"] += summed(host[1], g, smaller.latents)
        moments["host squares"] += summed(host[1], g * g, smaller.latents)
        entries = [entries[0] + len(g), entries[1] + len(f)]
    mean = delta / n
    error = ((squares - n * mean * mean).clamp_(min=0) * n / (n - 1)).sqrt() / n
    covariance = moments["product"] - moments["donor"] * moments["host"][match] / n
    variance = moments["donor squares"] - moments["donor"] ** 2 / n
    host_variance = (moments["host squares"] - moments["host"] ** 2 / n)[match]
    return {
        "deltaMse": mean / d,
        "standardError": error / d,
        "cosine": cosine.double(),
        "match": match.double(),
        "agreement": covariance / (variance * host_variance).sqrt(),
        "sums": torch.tensor([errors[0] / n / d, errors[1] / n / d, entries[0] / n, entries[1] / n], dtype=torch.float64),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    torch.set_num_threads(parser.parse_args().threads)

    batch = 0

    def run(folder: Path, rows: int | None) -> tuple[dict[str, torch.Tensor], float]:
        start = time.perf_counter()
        smaller, larger = Sae(folder / "smaller"), Sae(folder / "larger")
        sample = tensors_of(folder / "activations.safetensors")["activations"][:rows]
        result = label(smaller, larger, sample, batch)
        return result, time.perf_counter() - start

    for line in sys.stdin:
        message = json.loads(line)
        folder = Path(message["folder"])
        if message["do"] == "prepare":
            times = {}
            for batch in (1024, 2048, 4096):
                run(folder, 4096)
                times[batch] = min(run(folder, message["rows"])[1] for _ in range(2))
            batch = min(times, key=times.get)
            answer = {"batch": batch, "seconds": times}
        else:
            result, seconds = run(folder, None)
            for name, values in result.items():
                values.numpy().astype("<f8").tofile(folder / f"torch-{name}.f64")
            answer = {"seconds": seconds, "torch": torch.__version__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

"""Tokens per second of a training step of dictionary_learning and sae-lens on the CPU, and their peak memory.

    python train_speed.py                                       all configurations, one JSON line each
    python train_speed.py --kinds topk --widths 3072 --libraries sae-lens

Each configuration runs in a process of its own. The data: rows of d numbers, each the sum of 40 of 4 d random unit
directions, with exponentially distributed strengths, and normal noise of standard deviation 0.05; four different
batches, taken in turn. A step is all that the library does for a batch: forward and backward pass, gradient clipping,
Adam as it is by default, bookkeeping. Its seconds are the median of the timed steps. `relu` is timed twice: as
initialised, when about half of the latents fire, and (`relu-sparse`) with each latent's encoder bias lowered so that
over one batch --k of them fire for a row on average; its learning rate is still near zero then, so that it stays so.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

WIDTHS = (3072, 12288, 24576)
LIBRARIES = ("dictionary_learning", "sae-lens")
KINDS = ("batchtopk", "topk", "relu", "relu-sparse")


def sparse_combinations(rows: int, d: int, seed: int):
    """[rows, d]; see the top of the file."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(4 * d, d, generator=generator), dim=1)
    chosen = torch.randint(4 * d, (rows, 40), generator=generator)
    strengths = torch.empty(rows, 40).exponential_(generator=generator)
    x = torch.nn.functional.embedding_bag(chosen, directions, mode="sum", per_sample_weights=strengths)
    return x + 0.05 * torch.randn(rows, d, generator=generator)


def peak_mebibytes() -> float:
    """Highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def lower_biases(encoder, encoder_bias, decoder_bias, x, active: int) -> None:
    """Make every latent fire on the same share of the rows of `x`, `active` latents for a row. `encoder` is [m, d]."""
    import torch

    with torch.no_grad():
        share = active / encoder.shape[0]
        kept = max(1, round(share * len(x)))
        for at in range(0, encoder.shape[0], 1024):
            part = slice(at, at + 1024)
            pre = (x - decoder_bias) @ encoder[part].T
            encoder_bias[part] = -pre.topk(kept, dim=0).values[-1]


def measure(library: str, kind: str, latents: int, args: argparse.Namespace) -> dict:
    """Time the steps of one configuration, in this process."""
    import torch

    torch.set_num_threads(args.threads)
    from peers import Settings, dictionary_learning_trainer, environment, sae_lens_trainer

    settings = Settings(
        kind=kind.removesuffix("-sparse"), d=args.d, latents=latents, steps=100_000, batch=args.rows, k=args.k,
        l1=1.0, rate=3e-4, warm_up=10_000, decay=0, seed=0,
    )  # fmt: skip
    data = sparse_combinations(4 * args.rows, args.d, 1).split(args.rows)
    memory_before = peak_mebibytes()

    if library == "dictionary_learning":
        trainer = dictionary_learning_trainer(settings)
        weights = lambda: (trainer.ae.encoder.weight, trainer.ae.encoder.bias, trainer.ae.bias)  # noqa: E731
        # Step 0 sets the decoder bias; the inference threshold is followed only from step 1 001 on.
        number = lambda i: i if i == 0 else 2000 + i  # noqa: E731
        step = lambda i: trainer.update(number(i), data[i % len(data)])  # noqa: E731
    else:
        trainer = sae_lens_trainer(settings, iter(()))
        weights = lambda: (trainer.sae.W_enc.T, trainer.sae.b_enc, trainer.sae.b_dec)  # noqa: E731

        def step(i):
            trainer.step(data[i % len(data)])
            trainer.n_training_steps += 1

    if kind == "relu-sparse":
        lower_biases(*weights(), data[0], args.k)
    seconds = []
    for i in range(args.warm_up + args.steps[latents]):
        start = time.perf_counter()
        step(i)
        seconds.append(time.perf_counter() - start)
    timed = seconds[args.warm_up :]
    result = {
        "library": library,
        "kind": kind,
        "d": args.d,
        "latents": latents,
        "k": args.k,
        "batch": args.rows,
        "steps": len(timed),
        "seconds_per_step": statistics.median(timed),
        "fastest": min(timed),
        "slowest": max(timed),
        "tokens_per_second": args.rows / statistics.median(timed),
        "peak_mib": round(peak_mebibytes()),
        "peak_mib_before_training": round(memory_before),
    }
    if settings.kind == "relu":
        encoder, bias, decoder_bias = weights()
        with torch.no_grad():
            x = data[0][:512]
            result["l0"] = ((x - decoder_bias) @ encoder.T + bias > 0).float().sum(dim=1).mean().item()
    return {**result, "environment": environment(args.threads)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    parser.add_argument("--d", type=int, default=768)
    parser.add_argument("--k", type=int, default=32, help="active latents; of relu-sparse too")
    parser.add_argument("--rows", type=int, default=4096, help="of a batch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=2, help="steps not timed")
    parser.add_argument("--timed", type=int, help="steps timed; default 10 up to 4 096 latents, 5 up to 16 384, else 3")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.steps = {m: args.timed or (10 if m <= 4096 else 5 if m <= 16384 else 3) for m in args.widths}

    configurations = [(l, kind, m) for m in args.widths for kind in args.kinds for l in args.libraries]
    if args.in_this_process:
        (configuration,) = configurations
        print(json.dumps(measure(*configuration, args)))
        return
    passed_on = ["--d", args.d, "--k", args.k, "--rows", args.rows, "--threads", args.threads, "--warm-up", args.warm_up]
    if args.timed:
        passed_on += ["--timed", args.timed]
    for library, kind, latents in configurations:
        child = subprocess.run(
            [sys.executable, __file__, "--in-this-process", *map(str, passed_on)]
            + ["--libraries", library, "--kinds", kind, "--widths", str(latents)],
            stdout=subprocess.PIPE,
            text=True,
        )
        if child.returncode != 0:
            print(json.dumps({"library": library, "kind": kind, "latents": latents, "failed": child.returncode}))
            continue
        print(child.stdout.strip().splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()

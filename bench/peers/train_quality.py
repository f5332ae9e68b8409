"""Train SAEs with dictionary_learning and sae-lens on real activations, and measure all by one yardstick.

    python train_quality.py --cache CACHE                         train both libraries, write results-quality.json
    python train_quality.py --cache CACHE --evaluate FOLDER ...   measure the SAEs (SAELens layout) below FOLDER

Both read the same rows in the same order: CACHE/rows.f32 holds all rows but BOS, shuffled once, as little-endian
float32; step s takes the rows s·batch … of the endless repetition of that file. A seed decides only the weights at the
start. Every trained SAE is saved in SAELens layout below CACHE/saes and measured from there by sae-lens on all rows.
"""

import argparse
import json
import os
import re
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from peers import KINDS, LIBRARIES, Settings, environment, evaluate, save, train
from safetensors.numpy import load_file

HERE = Path(__file__).parent
BOS = 1


def write_rows(data: Path, cache: Path) -> Path:
    """All rows whose token is not BOS, in an order drawn once, as float32; left as it is when it is there."""
    path = cache / "rows.f32"
    if path.exists():
        return path
    parts = []
    for shard in sorted((data / "stories260k" / "activations").glob("shard-*.safetensors")):
        tensors = load_file(shard)
        parts.append(tensors["activations"][tensors["token_ids"] != BOS].astype("<f4"))
    if not parts:
        sys.exit(f"no shard-*.safetensors in {data}/stories260k/activations: give --data or SAESTITCH_DATA")
    rows = np.concatenate(parts)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    cache.mkdir(parents=True, exist_ok=True)
    rows.tofile(path.with_suffix(".part"))
    (cache / "rows.json").write_text(json.dumps({"rows": len(rows), "d": rows.shape[1], "dtype": "float32"}))
    path.with_suffix(".part").rename(path)
    return path


def read_rows(cache: Path) -> torch.Tensor:
    """The shuffled rows, [n, d], mapped from the disk's cache."""
    shape = json.loads((cache / "rows.json").read_text())
    mapped = np.memmap(cache / "rows.f32", dtype="<f4", mode="c", shape=(shape["rows"], shape["d"]))
    return torch.from_numpy(mapped)


def batches(rows: torch.Tensor, batch: int):
    """The rows in order, over and over; a batch may run across the end."""
    at = 0
    while True:
        end = at + batch
        yield rows[at:end].clone() if end <= len(rows) else torch.cat([rows[at:], rows[: end - len(rows)]])
        at = end % len(rows)


def run(library: str, settings: Settings, cache: Path, threads: int) -> dict:
    """Train, save and measure one SAE; one that lies in the cache, trained with the same settings, is taken from there."""
    name = f"{library}-{settings.kind}-{settings.latents}-seed{settings.seed}"
    if settings.kind == "relu":
        name += f"-l1_{settings.l1:g}"
    folder = cache / "saes" / name
    training = folder / "training.json"
    torch.set_num_threads(threads)
    rows = read_rows(cache)
    known = json.loads(training.read_text()) if training.exists() else {}
    if known.get("settings") != asdict(settings):
        trained, seconds = train(library, settings, batches(rows, settings.batch))
        save(library, settings, trained, folder)
        _assert_saved_alike(library, trained, folder, rows[:1024])
        known = {"settings": asdict(settings), "seconds": round(seconds, 1)}
        training.write_text(json.dumps(known, indent=2) + "\n")
    return {
        "library": library,
        "kind": settings.kind,
        "seed": settings.seed,
        "l1": settings.l1 if settings.kind == "relu" else None,
        **evaluate(folder, rows, settings.k),
        "seconds": known["seconds"],
    }


@torch.no_grad()
def _assert_saved_alike(library, trained, folder, rows) -> None:
    """dictionary_learning's SAEs reach the yardstick through another library's classes: they must compute the same."""
    if library != "dictionary_learning":
        return
    from sae_lens import SAE

    there = trained(rows)
    here = SAE.load_from_disk(folder, device="cpu")(rows)
    difference = (there - here).abs().max().item()
    assert difference < 1e-3, f"{folder}: saved SAE reconstructs differently, by {difference}"


def with_equal_l0(records: list[dict], k: float) -> list[dict]:
    """One record more for each library, width and seed whose ReLU SAEs of several L1 weights lie about L0 = k.

    Its `mse_at_k` is read off the straight line through (log L0, log MSE) of the two nearest.
    """
    groups: dict[tuple, list[dict]] = {}
    for r in records:
        if r.get("l1") is not None:
            groups.setdefault((r["library"], r["latents"], r["seed"]), []).append(r)
    added = []
    for (library, latents, seed), group in groups.items():
        if len(group) < 2:
            continue
        near = sorted(group, key=lambda r: abs(np.log(r["l0"] / k)))[:2]
        slope, intercept = np.polyfit(np.log([r["l0"] for r in near]), np.log([r["mse"] for r in near]), 1)
        mse = float(np.exp(slope * np.log(k) + intercept))
        added.append({"library": library, "kind": "relu", "seed": seed, "latents": latents, "mse_at_k": mse, "l0": k})
    return records + added


def table(records: list[dict], k: float) -> str:
    """Markdown: means over the seeds, and the lowest and highest MSE at L0 = k."""
    groups: dict[tuple, list[dict]] = {}
    for r in with_equal_l0(records, k):
        groups.setdefault((r["latents"], r["kind"], r.get("l1") or 0.0, r["library"]), []).append(r)
    lines = [
        f"| latents | kind | library | seeds | MSE | variance explained | L0 | dead | seconds | MSE at L0 {k:g} | its range |",
        "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for (latents, kind, l1, library), group in sorted(groups.items()):

        def mean(key: str, digits: int) -> str:
            return f"{statistics.fmean(r[key] for r in group):.{digits}f}" if key in group[0] else ""

        at_k = [r["mse_at_k"] for r in group if "mse_at_k" in r]
        spread = f"{min(at_k):.5f} … {max(at_k):.5f}" if at_k else ""
        label = f"{kind}, λ {l1:g}" if l1 else kind
        lines.append(
            f"| {latents} | {label} | {library} | {len(group)} | {mean('mse', 5)} | {mean('variance_explained', 4)} "
            f"| {mean('l0', 2)} | {mean('dead', 1)} | {mean('seconds', 0)} | {mean('mse_at_k', 5)} | {spread} |"
        )
    return "\n".join(lines)


def evaluate_folders(folders: list[Path], cache: Path, k: float, threads: int) -> list[dict]:
    """Every SAELens folder at or below those given."""
    torch.set_num_threads(threads)
    rows = read_rows(cache)
    records = []
    for folder in folders:
        found = sorted(p.parent for p in folder.rglob("cfg.json"))
        if not found:
            sys.exit(f"no cfg.json in {folder} or below")
        for sae in found:
            seed = re.search(r"seed-?(\d+)", sae.name)
            record = {
                "library": folder.name,
                "sae": sae.name,
                "seed": int(seed.group(1)) if seed else None,
                **evaluate(sae, rows, k),
            }
            record["kind"] = record["architecture"]
            print(json.dumps(record), flush=True)
            records.append(record)
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="folder for the rows and the trained SAEs")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("SAESTITCH_DATA", HERE.parents[1].parent / "shared" / "data"),
        help="parent of stories260k/activations",
    )
    parser.add_argument("--evaluate", type=Path, nargs="+", help="measure these folders instead of training")
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--widths", type=int, nargs="+", default=[512])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--k", type=int, default=9)
    parser.add_argument("--l1", type=float, nargs="+", default=[1.0, 1.25, 1.75], help="weights of the L1 penalty (relu)")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate between warm-up and decay")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--warm-up", type=int, default=300, help="steps; also those of the L1 penalty")
    parser.add_argument("--decay", type=int, default=600, help="steps at the end with a falling rate")
    parser.add_argument("--dead-after", type=int, help="tokens; default: what each library has")
    parser.add_argument("--jobs", type=int, default=2, help="SAEs trained at a time")
    parser.add_argument("--threads", type=int, default=1, help="threads of each")
    parser.add_argument("--out", type=Path, help="default: results-quality.json beside this file; none with --evaluate")
    args = parser.parse_args()
    write_rows(Path(args.data), args.cache)

    if args.evaluate:
        records = evaluate_folders(args.evaluate, args.cache, args.k, args.threads)
        if args.out:
            write_results(args.out, args, records)
        print("\n" + table(records, args.k))
        return

    base = Settings(
        kind="", d=json.loads((args.cache / "rows.json").read_text())["d"], latents=0, steps=args.steps,
        batch=args.batch, k=args.k, l1=0.0, rate=args.rate, warm_up=args.warm_up, decay=args.decay, seed=0,
        dead_after=args.dead_after,
    )  # fmt: skip
    jobs = [
        (library, replace(base, kind=kind, latents=latents, seed=seed, l1=l1), args.cache, args.threads)
        for latents in args.widths
        for kind in args.kinds
        for l1 in (args.l1 if kind == "relu" else [0.0])
        for seed in args.seeds
        for library in args.libraries
    ]
    records = []
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(run, *job) for job in jobs]:
            records.append(future.result())
            print(json.dumps(records[-1]), flush=True)
    write_results(args.out or HERE / "results-quality.json", args, records)
    print("\n" + table(records, args.k))


def write_results(path: Path, args: argparse.Namespace, records: list[dict]) -> None:
    """Settings, versions and one record for each SAE, as one JSON file."""
    shown = ("k", "rate", "steps", "batch", "warm_up", "decay", "dead_after", "jobs")
    content = {
        "settings": {key: getattr(args, key) for key in shown},
        "environment": environment(args.threads),
        "records": records,
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()

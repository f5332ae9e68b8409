"""Trainers of dictionary_learning and sae-lens, made from the same settings and stepped by the libraries' own loops."""

import os

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("WANDB_MODE", "disabled")

import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from dictionary_learning.trainers import BatchTopKTrainer, StandardTrainer, TopKTrainer
from sae_lens import SAE
from sae_lens.config import SAETrainerConfig
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.jumprelu_sae import JumpReLUSAE, JumpReLUSAEConfig
from sae_lens.saes.standard_sae import (
    StandardSAE,
    StandardSAEConfig,
    StandardTrainingSAE,
    StandardTrainingSAEConfig,
)
from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig, TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer

LIBRARIES = ("dictionary_learning", "sae-lens")
KINDS = ("batchtopk", "topk", "relu")


@dataclass(frozen=True)
class Settings:
    """What both libraries are told alike; all else is the library's own default."""

    kind: str
    d: int
    latents: int
    steps: int
    batch: int
    k: int
    l1: float
    rate: float
    warm_up: int
    decay: int
    seed: int
    dead_after: int | None = None
    """Tokens; None leaves each library its own: 10 000 000 tokens, and 1 000 steps."""


def dictionary_learning_trainer(s: Settings):
    """The library's trainer; `update(step, batch)` is one step of its `trainSAE`."""
    shared = dict(
        steps=s.steps,
        activation_dim=s.d,
        dict_size=s.latents,
        layer=0,
        lm_name="none",
        lr=s.rate,
        warmup_steps=s.warm_up,
        decay_start=s.steps - s.decay if s.decay > 0 else None,
        seed=s.seed,
        device="cpu",
    )
    if s.kind == "relu":
        return StandardTrainer(**shared, l1_penalty=s.l1, sparsity_warmup_steps=s.warm_up)
    trainer = {"batchtopk": BatchTopKTrainer, "topk": TopKTrainer}[s.kind](
        **shared, k=s.k, threshold_start_step=min(1000, s.steps // 2)
    )
    if s.dead_after is not None:
        trainer.dead_feature_threshold = s.dead_after
    return trainer


def sae_lens_trainer(s: Settings, batches):
    """The library's trainer over an iterator of batches; `fit()` takes all steps."""
    torch.manual_seed(s.seed)
    shape = dict(d_in=s.d, d_sae=s.latents, dtype="float32", device="cpu")
    sae = {
        "batchtopk": lambda: BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(**shape, k=s.k)),
        "topk": lambda: TopKTrainingSAE(TopKTrainingSAEConfig(**shape, k=s.k)),
        "relu": lambda: StandardTrainingSAE(
            StandardTrainingSAEConfig(**shape, l1_coefficient=s.l1, l1_warm_up_steps=s.warm_up)
        ),
    }[s.kind]()
    dead = {} if s.dead_after is None else {"dead_feature_window": max(1, s.dead_after // s.batch)}
    config = SAETrainerConfig(
        total_training_samples=s.steps * s.batch,
        train_batch_size_samples=s.batch,
        lr=s.rate,
        lr_end=s.rate,
        lr_warm_up_steps=s.warm_up,
        lr_decay_steps=s.decay,
        device="cpu",
        **dead,
    )
    return SAETrainer(cfg=config, sae=sae, data_provider=batches)


def train(library: str, s: Settings, batches) -> tuple[object, float]:
    """Train on `batches` to the end; the trained object of the library, and seconds taken."""
    if library == "dictionary_learning":
        trainer = dictionary_learning_trainer(s)
        start = time.perf_counter()
        for step in range(s.steps):
            trainer.update(step, next(batches))
        return trainer.ae, time.perf_counter() - start
    trainer = sae_lens_trainer(s, batches)
    start = time.perf_counter()
    sae = trainer.fit()
    return sae, time.perf_counter() - start


def save(library: str, s: Settings, trained, folder: Path) -> None:
    """Write what inference needs in the SAELens layout, whichever library trained it."""
    if library == "sae-lens":
        trained.save_inference_model(folder)
        return
    shape = dict(d_in=s.d, d_sae=s.latents, dtype="float32", device="cpu", apply_b_dec_to_input=True)
    weights = {
        "W_enc": trained.encoder.weight.detach().T.contiguous(),
        "b_enc": trained.encoder.bias.detach().clone(),
        "W_dec": trained.decoder.weight.detach().T.contiguous(),
        "b_dec": (trained.bias if s.kind == "relu" else trained.b_dec).detach().clone(),
    }
    if s.kind == "relu":
        sae = StandardSAE(StandardSAEConfig(**shape))
    elif s.kind == "topk":
        sae = TopKSAE(TopKSAEConfig(**shape, k=s.k))
    else:
        sae = JumpReLUSAE(JumpReLUSAEConfig(**shape))
        weights["threshold"] = torch.full((s.latents,), float(trained.threshold))
    sae.load_state_dict(weights)
    sae.save_model(folder)


def evaluate(folder: Path, rows: torch.Tensor, k: float) -> dict:
    """Reconstruction of all rows by the SAE of a SAELens folder, as sae-lens itself runs it at inference.

    A BatchTopK SAE is saved with one threshold for all latents, estimated while training, with which not exactly k
    latents fire on average. `mse_at_k` is the error with the threshold moved to where exactly k do.
    """
    sae = SAE.load_from_disk(folder, device="cpu", dtype="float32").eval()
    result = {
        "architecture": sae.cfg.architecture(),
        "d": rows.shape[1],
        "latents": sae.cfg.d_sae,
        "rows": len(rows),
        **_measure(sae, rows),
    }
    thresholds = sae.threshold.detach() if hasattr(sae, "threshold") else None
    if thresholds is not None and float(thresholds.min()) == float(thresholds.max()):
        sae.threshold.data.fill_(_threshold_for(sae, rows, k))
        result["mse_at_k"] = _measure(sae, rows)["mse"]
    elif abs(result["l0"] - k) < 0.01:
        result["mse_at_k"] = result["mse"]
    return result


CHUNK = 8192


@torch.no_grad()
def _measure(sae, rows: torch.Tensor) -> dict:
    n, d = rows.shape
    mean = rows.mean(dim=0, dtype=torch.float64)
    squared_error = variation = active = 0.0
    fired = torch.zeros(sae.cfg.d_sae, dtype=torch.bool)
    for x in rows.split(CHUNK):
        codes = sae.encode(x)
        squared_error += (x - sae.decode(codes)).double().pow(2).sum().item()
        variation += (x.double() - mean).pow(2).sum().item()
        positive = codes > 0
        active += positive.sum().item()
        fired |= positive.any(dim=0)
    return {
        "mse": squared_error / (n * d),
        "variance_explained": 1 - squared_error / variation,
        "l0": active / n,
        "dead": int((~fired).sum()),
    }


@torch.no_grad()
def _threshold_for(sae, rows: torch.Tensor, k: float) -> float:
    """The threshold above which k latents fire for a row on average."""
    wanted = round(k * len(rows))
    sae.threshold.data.mul_(0.5)
    while True:
        values = torch.cat([codes[codes > 0] for codes in map(sae.encode, rows.split(CHUNK))])
        if len(values) > wanted:
            return values.kthvalue(len(values) - wanted).values.item()
        if not sae.threshold.any():
            return 0.0
        sae.threshold.data.mul_(0.5).masked_fill_(sae.threshold < 1e-6, 0.0)


def environment(threads: int) -> dict:
    """Versions and machine, to stand beside every figure; `load` shows whether other programs ran too."""
    blas = "mkl" if torch.backends.mkl.is_available() else "other"
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "blas": blas,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "dictionary-learning": version("dictionary-learning"),
        "sae-lens": version("sae-lens"),
        "cpu": _cpu_name(),
        "threads": threads,
        "load": round(os.getloadavg()[0], 1),
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()

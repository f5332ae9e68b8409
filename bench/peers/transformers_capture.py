"""Activations of a language model as a careful user of `transformers` would read them, on the model that our side reads as ONNX.

    python transformers_capture.py --threads 2

Reads one JSON message a line and answers each with one line; `bench/capture.js` is who asks. A GPT-2 with random weights, made here, is
exported as `optimum` does; then windows of tokens, made by our side, are run through the model of PyTorch in batches, the residual stream
before block `block` is taken, and stored as float16 in one file. In two ways: the whole model with `output_hidden_states`, as most scripts do, and
a model that was cut after the blocks that are needed. Tokenizing is left out.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy
import torch
from optimum.exporters.onnx import onnx_export_from_model
from transformers import GPT2Config, GPT2LMHeadModel, __version__

model = None


def export(folder: Path, config: dict) -> dict:
    """Make the model and write it as ONNX."""
    global model
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**config)).eval()
    model.config.use_cache = False
    onnx_export_from_model(model, folder, task="text-generation", do_validation=False)
    return {"parameters": sum(weights.numel() for weights in model.parameters())}


@torch.inference_mode()
def capture(folder: Path, block: int, way: str, rows: int) -> dict:
    """Run the windows of `folder`/windows.i32 [windows × context] through the model, `rows` of them at a time."""
    shape = json.loads((folder / "windows.json").read_text())
    windows = numpy.fromfile(folder / "windows.i32", dtype="<i4").reshape(shape)
    blocks = model.transformer.h
    if way == "cut":
        model.transformer.h = blocks[:block]
    start = time.perf_counter()
    with open(folder / "peer.f16", "wb") as file:
        for first in range(0, len(windows), rows):
            tokens = torch.from_numpy(windows[first : first + rows].astype(numpy.int64))
            if way == "cut":
                # What comes before the final norm: the last block's input would be one block too early.
                taken = []
                hook = model.transformer.ln_f.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
                model.transformer(tokens, use_cache=False)
                hook.remove()
                (activations,) = taken
            else:
                activations = model.transformer(tokens, output_hidden_states=True, use_cache=False).hidden_states[block]
            file.write(activations.to(torch.float16).numpy().tobytes())
    seconds = time.perf_counter() - start
    model.transformer.h = blocks
    return {"seconds": seconds, "tokens": int(windows.size)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    torch.set_num_threads(parser.parse_args().threads)
    answers = sys.stdout
    # What libraries print must not come between the answers.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        message = json.loads(line)
        folder = Path(message["folder"])
        if message["do"] == "export":
            answer = export(folder, message["config"])
        else:
            answer = capture(folder, message["block"], message["way"], message["rows"])
        versions = {"torch": torch.__version__, "transformers": __version__}
        print(json.dumps({**answer, **versions}), file=answers, flush=True)


if __name__ == "__main__":
    main()

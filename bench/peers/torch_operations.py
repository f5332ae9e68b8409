"""The operations of our kernels as a careful user of PyTorch writes them, each in several formulations.

`OPERATIONS[op](case)` gives the formulations by name, each a function that makes what does not change from call to call (buffers,
the transposed weights, indices of the type PyTorch wants) and gives the function to be timed.

Tried and left out, because never fastest: `torch.nn.functional.linear` and `addmm` without `out=` (fresh memory costs page faults
for each of its hundreds of MiB), weights stored transposed, `nonzero` of the flattened matrix, `to_sparse`, gathering by `einsum`.
"""

from functools import cached_property

import numpy
import torch
import torch.nn.functional as F

Result = torch.Tensor | tuple[torch.Tensor, ...]


class Case:
    """Inputs of one operation, and a [b × m] buffer for the formulations that want one."""

    def __init__(self, message: dict):
        self.op = message["op"]
        self.shape = message["shape"]
        self.numbers = message.get("numbers", {})
        self.files = message["files"]
        self.checked = message["do"] == "check"
        self.tensors: dict[str, torch.Tensor] = {}
        self.buffer: torch.Tensor | None = None

    def __getattr__(self, name: str) -> torch.Tensor:
        """The tensor in the file of that name; indices become int64, which PyTorch makes itself."""
        if name not in self.tensors:
            file = self.files[name]
            values = numpy.fromfile(file["path"], dtype="<f4" if file["kind"] == "float32" else "<i4")
            tensor = torch.empty(file["shape"], dtype=torch.float32 if file["kind"] == "float32" else torch.int64)
            tensor.copy_(torch.from_numpy(values).view(file["shape"]))
            self.tensors[name] = tensor
        return self.tensors[name]

    def dense(self) -> torch.Tensor:
        if self.buffer is None:
            # Filled, so that no call pays for the first touch of its pages.
            self.buffer = torch.empty(self.shape["b"], self.shape["m"]).zero_()
        return self.buffer

    @cached_property
    def gradient(self) -> torch.Tensor:
        """Of Adam where none is made from codes: nothing where results are compared, for ours has nothing to add up there."""
        size = (self.shape["m"], self.shape["d"])
        return torch.zeros(size) if self.checked else 1e-3 * torch.randn(size, generator=torch.Generator().manual_seed(0))

    def bias(self) -> torch.Tensor:
        return torch.full((self.shape["m"],), float(self.numbers["bias"]))

    @cached_property
    def offsets(self) -> torch.Tensor:
        """Where the entries of each row of the code begin."""
        return torch.arange(0, self.shape["b"] * self.shape["k"] + 1, self.shape["k"])

    @cached_property
    def sparse(self) -> torch.Tensor:
        """The code in compressed sparse rows; with 32-bit indices, or they would be converted on every call."""
        size = (self.shape["b"], self.shape["m"])
        return torch.sparse_csr_tensor(
            self.offsets.int(), self.indices.flatten().int(), self.values.flatten(), size=size, check_invariants=False
        )


# --- encode: each formulation gives rows, latents and activations


def pre_activations(case: Case, rows: int | None = None):
    """A function that fills and gives the pre-activations, a block of rows at a time."""
    b = case.shape["b"]
    rows = min(rows or b, b)
    weights, bias, buffer = case.encoder.T, case.bias(), case.dense()
    return lambda start: torch.addmm(bias, case.x[start : start + rows], weights, out=buffer[: min(rows, b - start)]), rows


def in_blocks(case: Case, rows: int | None, select):
    product, rows = pre_activations(case, rows)

    def run() -> Result:
        found = []
        for start in range(0, case.shape["b"], rows):
            at, latents, values = select(product(start))
            found.append((at + start, latents, values))
        return found[0] if len(found) == 1 else tuple(torch.cat(part) for part in zip(*found))

    return run


def positive(pre: torch.Tensor) -> Result:
    rows, latents = (pre > 0).nonzero(as_tuple=True)
    return rows, latents, pre[rows, latents]


def positive_csr(case: Case):
    product, _ = pre_activations(case)
    return lambda: product(0).relu_().to_sparse_csr()


def positive_by_groups(pre: torch.Tensor, width: int = 64) -> Result:
    """Look for positive numbers only in groups whose maximum is one."""
    b, m = pre.shape
    rows, groups = (pre.view(b, m // width, width).amax(-1) > 0).nonzero(as_tuple=True)
    part = pre.view(-1, width)[rows * (m // width) + groups]
    at, within = (part > 0).nonzero(as_tuple=True)
    return rows[at], groups[at] * width + within, part[at, within]


def largest(pre: torch.Tensor, k: int) -> Result:
    values, latents = pre.topk(k, dim=1, sorted=False)
    return torch.arange(len(pre))[:, None].expand_as(latents), latents, values.relu_()


def largest_by_groups(pre: torch.Tensor, k: int, width: int = 64) -> Result:
    """The k largest lie in the k groups with the largest maxima."""
    b, m = pre.shape
    groups = pre.view(b, m // width, width).amax(-1).topk(min(k, m // width), dim=1, sorted=False).indices
    part = pre.view(b, m // width, width).gather(1, groups[:, :, None].expand(-1, -1, width)).view(b, -1)
    values, at = part.topk(k, dim=1, sorted=False)
    return torch.arange(b)[:, None].expand_as(at), groups.gather(1, at // width) * width + at % width, values.relu_()


def encode_threshold(case: Case) -> dict:
    return {
        "addmm, nonzero": lambda: in_blocks(case, None, positive),
        "addmm, nonzero, 1024 rows at a time": lambda: in_blocks(case, 1024, positive),
        "addmm, relu, to_sparse_csr": lambda: positive_csr(case),
        "addmm, maxima of 64, nonzero": lambda: in_blocks(case, None, positive_by_groups),
        "addmm, maxima of 64, nonzero, 1024 rows at a time": lambda: in_blocks(case, 1024, positive_by_groups),
    }


def encode_top(case: Case) -> dict:
    k = case.shape["k"]
    return {
        "addmm, topk": lambda: in_blocks(case, None, lambda pre: largest(pre, k)),
        "addmm, topk, 1024 rows at a time": lambda: in_blocks(case, 1024, lambda pre: largest(pre, k)),
        "addmm, topk of maxima of 64, topk": lambda: in_blocks(case, None, lambda pre: largest_by_groups(pre, k)),
        "addmm, topk of maxima of 64, topk, 1024 rows at a time": lambda: in_blocks(
            case, 1024, lambda pre: largest_by_groups(pre, k)
        ),
    }


def product_alone(case: Case) -> dict:
    product, _ = pre_activations(case)
    return {"addmm": lambda: lambda: product(0)}


# --- match: indices and cosines, best first


def match(case: Case) -> dict:
    k, n, m = case.shape["k"], case.shape["b"], case.shape["m"]

    def blocks(rows: int):
        buffer = torch.empty(min(rows, n), m)

        def run() -> Result:
            among, wanted = F.normalize(case.among, dim=1).T, F.normalize(case.rows, dim=1)
            indices, cosines = torch.empty(n, k, dtype=torch.int64), torch.empty(n, k)
            for start in range(0, n, rows):
                part = slice(start, min(n, start + rows))
                scores = torch.mm(wanted[part], among, out=buffer[: part.stop - start])
                torch.topk(scores, k, dim=1, out=(cosines[part], indices[part]))
            return indices, cosines

        return run

    return {f"mm, topk, {rows} rows at a time": lambda rows=rows: blocks(rows) for rows in (512, 1024, 2048, 4096)}


# --- from codes; `values` and `indices` are [b × k]


def filled(case: Case) -> torch.Tensor:
    return case.dense().zero_().scatter_(1, case.indices, case.values)


def bags(case: Case, directions: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return F.embedding_bag(case.indices, directions, mode="sum", per_sample_weights=values)


def decode(case: Case) -> dict:
    return {
        "embedding_bag": lambda: lambda: bags(case, case.directions, case.values).add_(case.rows),
        "sparse CSR addmm": lambda: lambda: torch.sparse.addmm(case.rows, case.sparse, case.directions),
        "dense addmm": lambda: lambda: torch.addmm(case.rows, filled(case), case.directions),
    }


def project(case: Case) -> dict:
    def gradient_of_values():
        values = case.values.clone().requires_grad_()
        summed = bags(case, case.directions, values)
        return lambda: torch.autograd.grad(summed, values, case.rows, retain_graph=True)[0]

    def gathered(rows: int):
        out = torch.empty_like(case.values)

        def run() -> Result:
            for start in range(0, len(out), rows):
                part = slice(start, start + rows)
                torch.bmm(case.directions[case.indices[part]], case.rows[part, :, None], out=out[part, :, None])
            return out

        return run

    def all_products():
        buffer = case.dense()
        return lambda: torch.mm(case.rows, case.directions.T, out=buffer).gather(1, case.indices)

    return {
        "embedding_bag, gradient of the weights of its samples": gradient_of_values,
        "gather and bmm, 64 rows at a time": lambda: gathered(64),
        "sampled_addmm": lambda: lambda: torch.sparse.sampled_addmm(
            case.sparse, case.rows, case.directions.T, beta=0.0
        ).values(),
        "mm, gather": all_products,
    }


def outer(case: Case) -> dict:
    k, m, d = case.shape["k"], case.shape["m"], case.shape["d"]

    def gradient_of_directions():
        directions = case.directions.clone().requires_grad_()
        summed = bags(case, directions, case.values)
        return lambda: torch.autograd.grad(summed, directions, case.rows, retain_graph=True)[0]

    def transposed() -> Result:
        latents, order = case.indices.flatten().sort()
        offsets = torch.searchsorted(latents, torch.arange(m + 1))
        values = case.values.flatten()[order]
        return F.embedding_bag(
            order // k, case.rows, offsets, mode="sum", per_sample_weights=values, include_last_offset=True
        )

    def added() -> Result:
        terms = (case.values[:, :, None] * case.rows[:, None, :]).view(-1, d)
        return torch.zeros(m, d).index_add_(0, case.indices.flatten(), terms)

    return {
        "embedding_bag of the transposed code": lambda: transposed,
        "embedding_bag, gradient of its table": gradient_of_directions,
        "sparse CSR, transposed, mm": lambda: lambda: case.sparse.t() @ case.rows,
        "index_add": lambda: added,
        "dense mm": lambda: lambda: filled(case).T @ case.rows,
    }


# --- Adam


def optimizer(case: Case, start: int = 0, end: int | None = None) -> tuple[torch.nn.Parameter, torch.optim.Adam]:
    """Fused Adam on rows of the weights, going on from the moments given."""
    part = slice(start, end)
    weights = torch.nn.Parameter(case.weights[part])
    weights.grad = case.gradient[part]
    numbers = case.numbers
    adam = torch.optim.Adam(
        [weights], lr=numbers["rate"], betas=(numbers["beta1"], numbers["beta2"]), eps=numbers["epsilon"], fused=True
    )
    adam.state[weights] = {
        "step": torch.tensor(float(numbers["step"] - 1)),
        "exp_avg": case.first[part],
        "exp_avg_sq": case.second[part],
    }
    return weights, adam


def adam_alone(case: Case) -> dict:
    def whole():
        weights, adam = optimizer(case)
        return lambda: (adam.step(), weights.data)[1]

    return {"fused Adam": whole}


def adam_unit(case: Case, gradient=None) -> dict:
    """`gradient` gives the gradient anew on every call; without, it lies ready."""

    def in_parts(rows: int):
        parts = [optimizer(case, start, start + rows) for start in range(0, case.shape["m"], rows)]
        room = torch.empty(min(rows, case.shape["m"]), case.shape["d"])

        @torch.no_grad()
        def run() -> Result:
            given = gradient() if gradient else None
            for at, (weights, adam) in enumerate(parts):
                if given is not None:
                    weights.grad = given[at * rows : (at + 1) * rows]
                parallel = torch.mul(weights.grad, weights, out=room[: len(weights)]).sum(1, keepdim=True)
                weights.grad.addcmul_(weights, parallel, value=-1)
                adam.step()
                weights.div_(torch.linalg.vector_norm(weights, dim=1, keepdim=True))
            return case.weights

        return run

    return {
        "fused Adam": lambda: in_parts(case.shape["m"]),
        "fused Adam, 512 rows at a time": lambda: in_parts(512),
        "fused Adam, 2048 rows at a time": lambda: in_parts(2048),
    }


def adam_from_codes(case: Case) -> dict:
    def gradient():
        made = outer(case)["embedding_bag of the transposed code"]()
        return made()

    return {f"embedding_bag of the transposed code, {name}": made for name, made in adam_unit(case, gradient).items()}


OPERATIONS = {
    "encode-threshold": encode_threshold,
    "encode-top": encode_top,
    "product": product_alone,
    "match": match,
    "decode": decode,
    "project": project,
    "outer": outer,
    "adam-alone": adam_alone,
    "adam-unit": adam_unit,
    "adam-from-codes": adam_from_codes,
}

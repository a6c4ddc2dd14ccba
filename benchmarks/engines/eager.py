"""Plain PyTorch, layer by layer."""

import torch
from torch import Tensor

from benchmarks.engines.candidate import Body, Candidate, Engine, UnavailableError
from model.capabilities import available_precisions
from model.precision import Precision


def candidates() -> list[Candidate]:
    return [
        Candidate("eager float32", _plain),
        Candidate("eager bfloat16", _bfloat16),
    ]


def require_bfloat16() -> None:
    """Check that the CPU has bfloat16 instructions; without them bfloat16 is slower than float32.

    Raises:
        UnavailableError: the CPU has none.
    """
    if Precision.BFLOAT16 not in available_precisions(torch.device("cpu")):
        raise UnavailableError("the CPU has no bfloat16 arithmetic")


def _plain(body: Body) -> Engine:
    return body.network.scores


def _bfloat16(body: Body) -> Engine:
    require_bfloat16()
    network = body.copy().bfloat16()

    def run(images: Tensor) -> Tensor:
        return network.scores(images.bfloat16()).float()

    return run

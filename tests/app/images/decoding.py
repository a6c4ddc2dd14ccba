"""An image, and ways to have it decoded."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.images.pool import Decoders
from app.problems import Problem, ProblemError
from benchmarks.process_tree import state
from tests.model.images.encoding import encoded

CRASHING = "tests.app.images.crashing_decoder"
"""Module of decoders that crash, hang and so on if the file says so."""
MAX_PIXELS = 10_000_000
RAMP = np.arange(12 * 20 * 3, dtype=np.uint32).reshape(12, 20, 3).astype(np.uint8)
FILE = encoded(Image.fromarray(RAMP), "PNG")


def decode(decoders: Decoders, data: bytes) -> NDArray[np.uint8]:
    file = decoders.open(data)
    try:
        return decoders.decode(file)
    finally:
        file.close()


def problem_of(decoders: Decoders, data: bytes) -> tuple[Problem, str]:
    with pytest.raises(ProblemError) as caught:
        decode(decoders, data)
    return caught.value.problem, caught.value.detail


def require_work(decoders: Decoders) -> None:
    np.testing.assert_array_equal(decode(decoders, FILE), RAMP)


def is_running(process_id: int) -> bool:
    return state(process_id) not in {"", "Z", "X"}

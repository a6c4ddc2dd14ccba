"""Loads a checkpoint in the fastest precision on this machine whose masks agree with float32."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from model.checkpoint import Checkpoint
from model.device import choose_device
from model.errors import CheckpointError
from model.precision import Precision
from model.precision_choice import DEFAULT_TOLERANCE, Candidates, explain, fastest, find_candidates, measure
from model.segmenter import Segmenter
from model.tiling import TilingLimits

_HEIGHT, _WIDTH = 384, 512
"""Maximum size in pixels of the golden image's crop that is timed: a typical small image."""

Seconds = Mapping[Precision, float]
"""Seconds per image by precision, on this machine."""


def load_fastest(
    path: Path,
    device: str = "auto",
    limits: TilingLimits = TilingLimits(),  # noqa: B008 (frozen)
    tolerance: float = DEFAULT_TOLERANCE,
    seconds: Seconds | None = None,
) -> tuple[Segmenter, Seconds]:
    """Read a checkpoint and verify its golden image, as ``Segmenter.load`` does, in the fastest precision.

    Args:
        path: checkpoint file.
        device: ``cpu``, ``cuda``, ``cuda:1``, ... or ``auto``: CUDA if available.
        limits: tile sizes and limits.
        tolerance: maximum loss of mIoU against float32.
        seconds: earlier measurements; only precisions among them are considered, and nothing is measured.

    Returns:
        The segmenter and the measurements; empty if there was no choice.

    Raises:
        CheckpointError: the file cannot be used.
        DeviceError: the device cannot be used.
    """
    checkpoint = Checkpoint.load(path)
    chosen = choose_device(device)
    candidates = find_candidates(checkpoint, chosen, tolerance)
    load = partial(_load, path, checkpoint, chosen, limits)
    if seconds is None:
        return _measure_all(load, candidates)
    for precision in set(candidates.precisions[1:]) - seconds.keys():
        candidates = candidates.reject(precision, "it was not measured at the start")
    while True:
        known = {precision: seconds[precision] for precision in candidates.precisions if precision in seconds}
        precision = fastest(known)
        try:
            segmenter = load(precision)
        except CheckpointError as error:
            if precision is Precision.FLOAT32:
                raise
            candidates = candidates.reject(precision, str(error))
        else:
            segmenter.precision_reason = explain(candidates, known)
            return segmenter, seconds


def _load(
    path: Path, checkpoint: Checkpoint, device: torch.device, limits: TilingLimits, precision: Precision
) -> Segmenter:
    segmenter = Segmenter(checkpoint, device, limits, precision)
    segmenter.require_golden_mask(path)
    return segmenter


def _measure_all(load: Callable[[Precision], Segmenter], candidates: Candidates) -> tuple[Segmenter, Seconds]:
    """Load the fastest of the candidates that predict the golden mask here; float32 has to predict it.

    At most two segmenters are in memory at once.
    """
    best = load(Precision.FLOAT32)
    if len(candidates.precisions) == 1:
        best.precision_reason = explain(candidates, {})
        return best, {}
    seconds = {Precision.FLOAT32: _measure(best)}
    for precision in candidates.precisions[1:]:
        try:
            segmenter = load(precision)
        except CheckpointError as error:
            candidates = candidates.reject(precision, str(error))
            continue
        seconds[precision] = _measure(segmenter)
        if fastest(seconds) is precision:
            best = segmenter
        del segmenter  # before the next is loaded
    best.precision_reason = explain(candidates, seconds)
    if best.device.type == "cuda":
        torch.cuda.empty_cache()  # memory of the others
    return best, seconds


def _measure(segmenter: Segmenter) -> float:
    """Seconds per image; on a CPU the CPU time of one thread, which does not depend on other load."""
    golden = segmenter.checkpoint.golden
    assert golden is not None
    predict = partial(segmenter.segment, golden.image[:_HEIGHT, :_WIDTH])
    if segmenter.device.type != "cpu":
        return measure(predict)
    with _one_thread():
        return measure(predict, time.thread_time)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

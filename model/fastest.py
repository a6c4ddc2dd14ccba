"""Loads a checkpoint in the precision that is the fastest here of those whose masks agree."""

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
"""Largest part of the golden image that is predicted to measure: a usual small photograph."""

Seconds = Mapping[Precision, float]
"""Seconds a photograph by precision, on this machine."""


def load_fastest(
    path: Path,
    device: str = "auto",
    limits: TilingLimits = TilingLimits(),  # noqa: B008 (frozen)
    tolerance: float = DEFAULT_TOLERANCE,
    seconds: Seconds | None = None,
) -> tuple[Segmenter, Seconds]:
    """Read a checkpoint, and check its golden image, as ``Segmenter.load`` does; choose the precision.

    Args:
        path: checkpoint file.
        device: ``cpu``, ``cuda``, ``cuda:1``, ... or ``auto``: CUDA where there is some.
        limits: how images are cut.
        tolerance: greatest loss of mIoU against float32.
        seconds: earlier measurement; the choice is then among its precisions, and nothing is measured.

    Returns:
        The segmenter and what was measured: nothing if there was no choice.

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
    """The fastest of the candidates that give the golden mask here; float32 has to give it.

    No more than two are in memory.
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
        torch.cuda.empty_cache()  # what the others took
    return best, seconds


def _measure(segmenter: Segmenter) -> float:
    """Seconds a photograph; on a CPU those that one thread runs, whatever else the machine does meanwhile."""
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

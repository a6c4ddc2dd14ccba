"""Loads a checkpoint in the precision that is the fastest here of those whose masks agree."""

from collections.abc import Mapping
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
    loaded: dict[Precision, Segmenter] = {}
    if seconds is None:
        candidates, loaded = _load_all(path, checkpoint, chosen, limits, candidates)
        seconds = _measure(loaded)
    else:
        for precision in set(candidates.precisions[1:]) - seconds.keys():
            candidates = candidates.reject(precision, "it was not measured at the start")
    while True:
        known = {precision: seconds[precision] for precision in candidates.precisions if precision in seconds}
        precision = fastest(known)
        try:
            segmenter = loaded.get(precision) or _load(path, checkpoint, chosen, limits, precision)
        except CheckpointError as error:
            if precision is Precision.FLOAT32:
                raise
            candidates = candidates.reject(precision, str(error))
        else:
            segmenter.precision_reason = explain(candidates, known)
            loaded.clear()
            if chosen.type == "cuda":
                torch.cuda.empty_cache()  # what the others took
            return segmenter, seconds


def _load(
    path: Path, checkpoint: Checkpoint, device: torch.device, limits: TilingLimits, precision: Precision
) -> Segmenter:
    segmenter = Segmenter(checkpoint, device, limits, precision)
    segmenter.require_golden_mask(path)
    return segmenter


def _load_all(
    path: Path, checkpoint: Checkpoint, device: torch.device, limits: TilingLimits, candidates: Candidates
) -> tuple[Candidates, dict[Precision, Segmenter]]:
    """Every candidate, but for those that give another golden mask here; float32 has to give it."""
    loaded: dict[Precision, Segmenter] = {}
    for precision in candidates.precisions:
        try:
            loaded[precision] = _load(path, checkpoint, device, limits, precision)
        except CheckpointError as error:
            if precision is Precision.FLOAT32:
                raise
            candidates = candidates.reject(precision, str(error))
    return candidates, loaded


def _measure(loaded: Mapping[Precision, Segmenter]) -> Seconds:
    if len(loaded) < 2:
        return {}
    golden = loaded[Precision.FLOAT32].checkpoint.golden
    assert golden is not None
    photograph = golden.image[:_HEIGHT, :_WIDTH]
    return measure({precision: partial(segmenter.segment, photograph) for precision, segmenter in loaded.items()})

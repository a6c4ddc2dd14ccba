import gc
import logging
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from app.problems import DEVICE_FAILED, OUT_OF_MEMORY, ProblemError
from model.segmenter import Segmenter
from tests.app.pipeline.held_segmenter import HeldSegmenter
from tests.app.pipeline.schedulers import (
    LARGE,
    SMALL,
    Queue,
    bands_of,
    make_scheduler,
    running_schedulers,
)
from tests.model.noise import noise


@pytest.fixture(autouse=True)
def _run_schedulers() -> Iterator[None]:
    with running_schedulers():
        yield


class Activations:
    """Stand-in for the tensors of a forward pass."""


def test_a_batch_that_the_device_has_no_memory_for_is_halved_until_it_has() -> None:
    segmenter = HeldSegmenter(lambda count: torch.OutOfMemoryError("CUDA out of memory") if count > 2 else None)
    queue = Queue(segmenter, batch_pixels=1 << 20)
    images = [noise(*SMALL, seed) for seed in range(7)]
    results = [queue.ask(image) for image in images]
    segmenter.let.set()
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result.result(30).mask, Segmenter.segment(segmenter, image).mask)
    assert [len(batch) for batch in segmenter.batches] == [1, 4, 2, 2, 2, 1]
    assert queue.scheduler.health.failure is None


@pytest.mark.parametrize(
    "fault", [torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_an_image_that_the_device_has_no_memory_for_is_refused_for_now(fault: Exception) -> None:
    segmenter = HeldSegmenter(lambda _: fault)
    segmenter.let.set()
    scheduler = make_scheduler()
    for ask in (
        lambda: scheduler.segment(segmenter, noise(*SMALL), threading.Event()).result(30),
        lambda: list(bands_of(scheduler, segmenter, noise(*LARGE))),
    ):
        with pytest.raises(ProblemError) as refused:
            ask()
        assert refused.value.problem is OUT_OF_MEMORY
    assert scheduler.health.failure is None


@pytest.mark.parametrize("fault", [torch.OutOfMemoryError("CUDA"), RuntimeError("CUDA error: misaligned address")])
def test_a_failed_pass_is_freed_before_its_problem_is_told(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[weakref.ref[Activations]] = []
    freed: list[bool] = []
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: freed.append(all(alive() is None for alive in passes)))

    def fail(_: int) -> Exception:
        activations = Activations()
        passes.append(weakref.ref(activations))
        try:
            raise ValueError
        except ValueError as cause:
            raise fault from cause

    segmenter = HeldSegmenter(fail)
    segmenter.let.set()
    scheduler = make_scheduler()
    gc.disable()
    logging.disable()  # pytest keeps log records, which keep the traceback
    try:
        with pytest.raises(ProblemError):
            scheduler.segment(segmenter, noise(*SMALL), threading.Event()).result(30)
        with pytest.raises(ProblemError):
            list(bands_of(scheduler, segmenter, noise(*LARGE)))
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()
    assert (len(passes), freed) == (2, [True, True])


def test_a_device_that_fails_again_and_again_is_given_up_until_it_works() -> None:
    faults = [RuntimeError("CUDA error: an illegal memory access was encountered")] * 3
    segmenter = HeldSegmenter(lambda _: faults.pop() if faults else None)
    segmenter.let.set()
    scheduler = make_scheduler()
    for number in range(3):
        assert scheduler.health.failure is None, number
        with pytest.raises(ProblemError) as failed:
            scheduler.segment(segmenter, noise(*SMALL), threading.Event()).result(30)
        assert failed.value.problem is DEVICE_FAILED
    assert scheduler.health.failure == (
        "the device has failed 3 times in a row, the last time with: "
        "CUDA error: an illegal memory access was encountered"
    )
    scheduler.segment(segmenter, noise(*SMALL), threading.Event()).result(30)
    assert scheduler.health.failure is None

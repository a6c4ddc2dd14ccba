import asyncio
import gc
import logging
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.observability.metrics import Metrics
from app.pipeline.scheduler import Cancelled, Scheduler
from app.problems import DEVICE_FAILED, OUT_OF_MEMORY, ProblemError
from app.threads import thread_pool
from benchmarks.waiting import wait_until
from model.errors import ImageError
from model.precision import Precision
from model.segmentation import Band, Segmentation
from model.segmenter import Segmenter
from model.tiling import Tiling, TilingLimits
from tests.model.random_checkpoint import random_checkpoint


def _noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


SMALL, LARGE = (64, 96), (300, 96)


class HeldSegmenter(Segmenter):
    """Predicts photographs when released; remembers the batches that it was asked to predict."""

    def __init__(self) -> None:
        super().__init__(
            random_checkpoint(), "cpu", TilingLimits(band_pixels=64 * 96, small_image_pixels=64 * 96), Precision.FLOAT64
        )
        self.let = threading.Event()
        self.batches: list[list[tuple[int, ...]]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    def segment_together(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        confidence: bool = False,
        interrupt: Callable[[], None] | None = None,
    ) -> list[Segmentation]:
        with self._lock:
            self.batches.append([image.shape[:2] for image in images])
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            assert self.let.wait(30)
            return super().segment_together(images, confidence=confidence, interrupt=interrupt)
        finally:
            with self._lock:
                self._at_once -= 1


@pytest.fixture
def segmenter() -> HeldSegmenter:
    return HeldSegmenter()


_schedulers: list[Scheduler] = []
_loop: asyncio.AbstractEventLoop


@pytest.fixture(autouse=True)
def _run_loop() -> Iterator[None]:
    """Run the event loop of a test's schedulers in a thread of its own."""
    global _loop
    with asyncio.Runner() as runner:
        _loop, ended = runner.get_loop(), asyncio.Event()
        thread = threading.Thread(target=runner.run, args=(ended.wait(),))
        thread.start()
        yield
        _loop.call_soon_threadsafe(ended.set)
        thread.join()


@pytest.fixture(autouse=True)
def _end_schedulers(segmenter: HeldSegmenter) -> Iterator[None]:
    """End a test's schedulers with it, even if it fails."""
    yield
    segmenter.let.set()
    while _schedulers:
        _schedulers.pop().close()


def _scheduler(batch_pixels: int = 0, cores: int = 1, *, keep_threads: bool = False) -> Scheduler:
    all_cores = thread_pool("all-cores", 1)
    _schedulers.append(Scheduler(all_cores, Metrics(), batch_pixels, cores, keep_threads=keep_threads))
    return _schedulers[-1]


def _bands(
    scheduler: Scheduler, segmenter: Segmenter, image: NDArray[np.uint8], cancelled: threading.Event | None = None
) -> Iterator[Band]:
    """Bands as threads get them from the scheduler's event loop."""
    return _asked_for(scheduler.bands(segmenter, image, Tiling.AUTO, cancelled or threading.Event()))


def _asked_for(bands: AsyncGenerator[Band, None]) -> Iterator[Band]:
    async def next_band() -> Band | None:
        return await anext(bands, None)

    while (band := asyncio.run_coroutine_threadsafe(next_band(), _loop).result(30)) is not None:
        yield band


class Queue:
    """Requests that wait behind one in progress."""

    def __init__(self, segmenter: HeldSegmenter, batch_pixels: int = 0, cores: int = 1) -> None:
        self.scheduler = _scheduler(batch_pixels, cores)
        self.segmenter = segmenter
        self.first = self.ask(_noise(*SMALL))
        wait_until(lambda: len(segmenter.batches) == 1)

    def ask(
        self,
        image: NDArray[np.uint8],
        cancelled: threading.Event | None = None,
        segmenter: Segmenter | None = None,
    ) -> "Future[Segmentation]":
        return self.scheduler.segment(segmenter or self.segmenter, image, cancelled or threading.Event())


def test_photographs_are_predicted_in_the_order_of_asking(
    segmenter: HeldSegmenter,
) -> None:
    queue = Queue(segmenter)
    sizes = [(64, 64), (32, 96), (64, 64), (33, 40)]
    images = [_noise(*size, seed) for seed, size in enumerate(sizes)]
    results = [queue.ask(image) for image in images]
    segmenter.let.set()
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result.result(30).mask, segmenter.segment(image).mask)
    assert segmenter.batches == [[SMALL], *([size] for size in sizes)]


def test_photographs_of_one_size_are_predicted_together_up_to_the_batchs_pixels(
    segmenter: HeldSegmenter,
) -> None:
    queue = Queue(segmenter, batch_pixels=3 * 64 * 96)
    sizes = [(64, 96), (32, 32), (60, 70), (64, 65), (64, 96), (20, 32)]
    images = [_noise(*size, seed) for seed, size in enumerate(sizes)]
    results = [queue.ask(image) for image in images]
    segmenter.let.set()
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result.result(30).mask, segmenter.segment(image).mask)
    assert segmenter.batches == [[SMALL], [(64, 96), (60, 70)], [(32, 32), (20, 32)], [(64, 65), (64, 96)]]


def test_on_a_cpu_photographs_that_wait_are_predicted_side_by_side(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter, cores=2)
    images = [_noise(40 + 8 * seed, 50, seed) for seed in range(4)]
    results = [queue.ask(image) for image in images]
    wrong = queue.ask(np.zeros((*SMALL, 3), dtype=np.float32))
    assert segmenter.batches == [[SMALL]]  # it was alone, and has all cores
    segmenter.let.set()
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result.result(30).mask, segmenter.segment(image).mask)
    with pytest.raises(ImageError, match="float32"):
        wrong.result(30)
    assert all(len(batch) == 1 for batch in segmenter.batches)
    assert segmenter.most_at_once == 2
    wait_until(lambda: queue.scheduler._busy_cores == 0)


def test_the_thread_of_large_images_is_there_while_there_are_any(segmenter: HeldSegmenter) -> None:
    scheduler = _scheduler()
    one, other = (_bands(scheduler, segmenter, _noise(*LARGE)) for _ in range(2))
    next(band for band in one if len(band.mask))
    next(other)
    list(one)
    assert scheduler._large_images == 1
    list(other)
    assert scheduler._large_images == 0
    assert scheduler._slow is None
    next(_bands(scheduler, segmenter, _noise(*LARGE)))


def test_work_that_nobody_waits_for_is_left_out(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter, batch_pixels=1 << 20)
    is_gone = threading.Event()
    gone, cancelled, other = queue.ask(_noise(*SMALL), is_gone), queue.ask(_noise(*SMALL)), queue.ask(_noise(*SMALL))
    is_gone.set()
    cancelled.cancel()
    segmenter.let.set()
    with pytest.raises(Cancelled):
        gone.result(30)
    other.result(30)
    assert segmenter.batches == [[SMALL], [SMALL]]


def test_work_that_nobody_waits_for_any_more_ends_between_two_layers(segmenter: HeldSegmenter) -> None:
    scheduler, cancelled = _scheduler(), threading.Event()
    gone = scheduler.segment(segmenter, _noise(*SMALL), cancelled)
    wait_until(lambda: len(segmenter.batches) == 1)
    cancelled.set()
    segmenter.let.set()
    with pytest.raises(Cancelled):
        gone.result(30)
    scheduler.segment(segmenter, _noise(*SMALL), threading.Event()).result(30)
    assert scheduler.health._in_a_row == 0


def test_a_batch_is_predicted_for_those_that_wait(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter, batch_pixels=1 << 20)
    cancelled = threading.Event()
    queue.ask(_noise(*SMALL), cancelled)
    stays = queue.ask(_noise(*SMALL))
    segmenter.let.set()
    wait_until(lambda: len(segmenter.batches) == 2)
    cancelled.set()
    stays.result(30)
    assert segmenter.batches == [[SMALL], [SMALL, SMALL]]


def test_photographs_that_were_given_up_do_not_wait_with_their_pixels(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter)
    for _ in range(50):
        queue.ask(_noise(*SMALL)).cancel()
    last = queue.ask(_noise(*SMALL))
    assert len(queue.scheduler._waiting) == 1
    segmenter.let.set()
    last.result(30)


def test_a_fault_reaches_everyone_in_the_batch_and_ends_nothing_else(
    segmenter: HeldSegmenter,
) -> None:
    queue = Queue(segmenter, batch_pixels=1 << 20)
    wrong = np.zeros((*SMALL, 3), dtype=np.float32)
    failing = [queue.ask(wrong), queue.ask(_noise(*SMALL))]  # type: ignore[arg-type]
    segmenter.let.set()
    for result in failing:
        with pytest.raises(ImageError, match="float32"):
            result.result(30)
    assert queue.ask(_noise(*SMALL)).result(30).mask.shape == SMALL


def test_large_images_take_turns_band_by_band(segmenter: HeldSegmenter) -> None:
    scheduler = _scheduler()
    image = _noise(*LARGE)
    order: list[str] = []
    both = threading.Barrier(2)

    def predict(name: str) -> NDArray[np.uint8]:
        both.wait(30)
        bands = []
        for band in _bands(scheduler, segmenter, image):
            order.append(name)
            bands.append(band.mask)
        return np.concatenate(bands)

    with ThreadPoolExecutor(2) as threads:
        masks = list(threads.map(predict, "ab"))
    for mask in masks:
        np.testing.assert_array_equal(mask, segmenter.segment(image).mask)
    half = len(order) // 2
    assert order.count("a") == order.count("b") == half >= 5
    assert {"a", "b"} <= set(order[:half]) & set(order[half:])


def test_large_images_make_their_first_rows_one_after_another(segmenter: HeldSegmenter) -> None:
    scheduler = _scheduler()
    first, second = (_bands(scheduler, segmenter, _noise(*LARGE)) for _ in range(2))
    assert not len(next(first).mask)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, second)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        assert any(len(band.mask) for band in first)
        assert not len(waiting.result(30).mask)


def test_a_large_image_that_nobody_waits_for_stops_after_the_band_at_hand(segmenter: HeldSegmenter) -> None:
    cancelled = threading.Event()
    bands = _bands(_scheduler(), segmenter, _noise(*LARGE), cancelled)
    next(bands)
    cancelled.set()
    with pytest.raises(Cancelled):
        next(bands)


def test_a_photograph_does_not_wait_for_a_large_image(segmenter: HeldSegmenter) -> None:
    scheduler = _scheduler()
    segmenter.let.set()
    held = threading.Event()
    with scheduler._slow_thread() as thread:
        thread.submit(held.wait, 30)
    assert scheduler.segment(segmenter, _noise(*SMALL), threading.Event()).result(30).mask.shape == SMALL
    held.set()


def test_closing_gives_up_what_has_not_started(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter)
    waiting = queue.ask(_noise(*SMALL))
    queue.scheduler.close()
    assert waiting.cancelled()
    segmenter.let.set()
    assert queue.first.result(30).mask.shape == SMALL


def test_photographs_of_one_size_that_want_different_weights_are_predicted_apart(segmenter: HeldSegmenter) -> None:
    other = HeldSegmenter()
    other.let.set()
    queue = Queue(segmenter, batch_pixels=1 << 20)
    results = [queue.ask(_noise(*SMALL)), queue.ask(_noise(*SMALL), segmenter=other), queue.ask(_noise(*SMALL))]
    segmenter.let.set()
    for result in results:
        result.result(30)
    assert segmenter.batches == [[SMALL], [SMALL, SMALL]]
    assert other.batches == [[SMALL]]


class Activations:
    """Stand-in for the tensors of a forward pass."""


class FailingSegmenter(HeldSegmenter):
    """A segmenter whose device fails."""

    def __init__(self, fault: Callable[[int], Exception | None]) -> None:
        super().__init__()
        self._fault = fault

    def segment_together(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        confidence: bool = False,
        interrupt: Callable[[], None] | None = None,
    ) -> list[Segmentation]:
        results = super().segment_together(images, confidence=confidence, interrupt=interrupt)
        if (fault := self._fault(len(images))) is not None:
            raise fault
        return results

    def bands(
        self, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO, confidence: bool = False
    ) -> Iterator[Band]:
        for band in super().bands(image, tiling=tiling, confidence=confidence):
            if (fault := self._fault(1)) is not None:
                raise fault
            yield band


def test_a_batch_that_the_device_has_no_memory_for_is_halved_until_it_has() -> None:
    segmenter = FailingSegmenter(lambda count: torch.OutOfMemoryError("CUDA out of memory") if count > 2 else None)
    queue = Queue(segmenter, batch_pixels=1 << 20)
    images = [_noise(*SMALL, seed) for seed in range(7)]
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
    segmenter = FailingSegmenter(lambda _: fault)
    segmenter.let.set()
    scheduler = _scheduler()
    for ask in (
        lambda: scheduler.segment(segmenter, _noise(*SMALL), threading.Event()).result(30),
        lambda: list(_bands(scheduler, segmenter, _noise(*LARGE))),
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

    segmenter = FailingSegmenter(fail)
    segmenter.let.set()
    scheduler = _scheduler()
    gc.disable()
    logging.disable()  # pytest keeps log records, which keep the traceback
    try:
        with pytest.raises(ProblemError):
            scheduler.segment(segmenter, _noise(*SMALL), threading.Event()).result(30)
        with pytest.raises(ProblemError):
            list(_bands(scheduler, segmenter, _noise(*LARGE)))
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()
    assert (len(passes), freed) == (2, [True, True])


@pytest.mark.parametrize("keep_threads", [True, False])
def test_large_images_in_turn_share_a_thread_on_a_gpu_alone(keep_threads: bool, segmenter: HeldSegmenter) -> None:
    threads: list[int] = []

    class Watched(Segmenter):
        def bands(
            self, image: NDArray[np.uint8], *, tiling: Tiling = Tiling.AUTO, confidence: bool = False
        ) -> Iterator[Band]:
            for band in super().bands(image, tiling=tiling, confidence=confidence):
                threads.append(threading.get_native_id())
                yield band

    scheduler = _scheduler(keep_threads=keep_threads)
    watched = Watched(random_checkpoint(), "cpu", segmenter.limits)
    for _ in range(3):
        list(_bands(scheduler, watched, _noise(*LARGE)))
    assert len(set(threads)) == (1 if keep_threads else 3)


def test_a_device_that_fails_again_and_again_is_given_up_until_it_works() -> None:
    faults = [RuntimeError("CUDA error: an illegal memory access was encountered")] * 3
    segmenter = FailingSegmenter(lambda _: faults.pop() if faults else None)
    segmenter.let.set()
    scheduler = _scheduler()
    for number in range(3):
        assert scheduler.health.failure is None, number
        with pytest.raises(ProblemError) as failed:
            scheduler.segment(segmenter, _noise(*SMALL), threading.Event()).result(30)
        assert failed.value.problem is DEVICE_FAILED
    assert scheduler.health.failure == (
        "the device has failed 3 times in a row, the last time with: "
        "CUDA error: an illegal memory access was encountered"
    )
    scheduler.segment(segmenter, _noise(*SMALL), threading.Event()).result(30)
    assert scheduler.health.failure is None

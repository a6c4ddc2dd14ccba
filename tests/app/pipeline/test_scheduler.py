import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from app.pipeline.scheduler import Cancelled
from benchmarks.waiting import wait_until
from model.errors import ImageError
from model.segmentation import Band
from model.segmenter import Segmenter
from model.tiling import Tiling
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
from tests.model.random_checkpoint import random_checkpoint


@pytest.fixture
def segmenter() -> HeldSegmenter:
    return HeldSegmenter()


@pytest.fixture(autouse=True)
def _run_schedulers(segmenter: HeldSegmenter) -> Iterator[None]:
    with running_schedulers():
        yield
        segmenter.let.set()


def test_photographs_are_predicted_in_the_order_of_asking(
    segmenter: HeldSegmenter,
) -> None:
    queue = Queue(segmenter)
    sizes = [(64, 64), (32, 96), (64, 64), (33, 40)]
    images = [noise(*size, seed) for seed, size in enumerate(sizes)]
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
    images = [noise(*size, seed) for seed, size in enumerate(sizes)]
    results = [queue.ask(image) for image in images]
    segmenter.let.set()
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result.result(30).mask, segmenter.segment(image).mask)
    assert segmenter.batches == [[SMALL], [(64, 96), (60, 70)], [(32, 32), (20, 32)], [(64, 65), (64, 96)]]


def test_on_a_cpu_photographs_that_wait_are_predicted_side_by_side(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter, cores=2)
    images = [noise(40 + 8 * seed, 50, seed) for seed in range(4)]
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
    scheduler = make_scheduler()
    one, other = (bands_of(scheduler, segmenter, noise(*LARGE)) for _ in range(2))
    next(band for band in one if len(band.mask))
    next(other)
    list(one)
    assert scheduler._large_images == 1
    list(other)
    assert scheduler._large_images == 0
    assert scheduler._slow is None
    next(bands_of(scheduler, segmenter, noise(*LARGE)))


def test_work_that_nobody_waits_for_is_left_out(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter, batch_pixels=1 << 20)
    is_gone = threading.Event()
    gone, cancelled, other = queue.ask(noise(*SMALL), is_gone), queue.ask(noise(*SMALL)), queue.ask(noise(*SMALL))
    is_gone.set()
    cancelled.cancel()
    segmenter.let.set()
    with pytest.raises(Cancelled):
        gone.result(30)
    other.result(30)
    assert segmenter.batches == [[SMALL], [SMALL]]


def test_work_that_nobody_waits_for_any_more_ends_between_two_layers(segmenter: HeldSegmenter) -> None:
    scheduler, cancelled = make_scheduler(), threading.Event()
    gone = scheduler.segment(segmenter, noise(*SMALL), cancelled)
    wait_until(lambda: len(segmenter.batches) == 1)
    cancelled.set()
    segmenter.let.set()
    with pytest.raises(Cancelled):
        gone.result(30)
    scheduler.segment(segmenter, noise(*SMALL), threading.Event()).result(30)
    assert scheduler.health._in_a_row == 0


def test_a_batch_is_predicted_for_those_that_wait(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter, batch_pixels=1 << 20)
    cancelled = threading.Event()
    queue.ask(noise(*SMALL), cancelled)
    stays = queue.ask(noise(*SMALL))
    segmenter.let.set()
    wait_until(lambda: len(segmenter.batches) == 2)
    cancelled.set()
    stays.result(30)
    assert segmenter.batches == [[SMALL], [SMALL, SMALL]]


def test_photographs_that_were_given_up_do_not_wait_with_their_pixels(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter)
    for _ in range(50):
        queue.ask(noise(*SMALL)).cancel()
    last = queue.ask(noise(*SMALL))
    assert len(queue.scheduler._waiting) == 1
    segmenter.let.set()
    last.result(30)


def test_a_fault_reaches_everyone_in_the_batch_and_ends_nothing_else(
    segmenter: HeldSegmenter,
) -> None:
    queue = Queue(segmenter, batch_pixels=1 << 20)
    wrong = np.zeros((*SMALL, 3), dtype=np.float32)
    failing = [queue.ask(wrong), queue.ask(noise(*SMALL))]  # type: ignore[arg-type]
    segmenter.let.set()
    for result in failing:
        with pytest.raises(ImageError, match="float32"):
            result.result(30)
    assert queue.ask(noise(*SMALL)).result(30).mask.shape == SMALL


def test_large_images_take_turns_band_by_band(segmenter: HeldSegmenter) -> None:
    scheduler = make_scheduler()
    image = noise(*LARGE)
    order: list[str] = []
    both = threading.Barrier(2)

    def predict(name: str) -> NDArray[np.uint8]:
        both.wait(30)
        bands = []
        for band in bands_of(scheduler, segmenter, image):
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
    scheduler = make_scheduler()
    first, second = (bands_of(scheduler, segmenter, noise(*LARGE)) for _ in range(2))
    assert not len(next(first).mask)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, second)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        assert any(len(band.mask) for band in first)
        assert not len(waiting.result(30).mask)


def test_a_large_image_that_nobody_waits_for_stops_after_the_band_at_hand(segmenter: HeldSegmenter) -> None:
    cancelled = threading.Event()
    bands = bands_of(make_scheduler(), segmenter, noise(*LARGE), cancelled)
    next(bands)
    cancelled.set()
    with pytest.raises(Cancelled):
        next(bands)


def test_a_photograph_does_not_wait_for_a_large_image(segmenter: HeldSegmenter) -> None:
    scheduler = make_scheduler()
    segmenter.let.set()
    held = threading.Event()
    with scheduler._slow_thread() as thread:
        thread.submit(held.wait, 30)
    assert scheduler.segment(segmenter, noise(*SMALL), threading.Event()).result(30).mask.shape == SMALL
    held.set()


def test_closing_gives_up_what_has_not_started(segmenter: HeldSegmenter) -> None:
    queue = Queue(segmenter)
    waiting = queue.ask(noise(*SMALL))
    queue.scheduler.close()
    assert waiting.cancelled()
    segmenter.let.set()
    assert queue.first.result(30).mask.shape == SMALL


def test_photographs_of_one_size_that_want_different_weights_are_predicted_apart(segmenter: HeldSegmenter) -> None:
    other = HeldSegmenter()
    other.let.set()
    queue = Queue(segmenter, batch_pixels=1 << 20)
    results = [queue.ask(noise(*SMALL)), queue.ask(noise(*SMALL), segmenter=other), queue.ask(noise(*SMALL))]
    segmenter.let.set()
    for result in results:
        result.result(30)
    assert segmenter.batches == [[SMALL], [SMALL, SMALL]]
    assert other.batches == [[SMALL]]


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

    scheduler = make_scheduler(keep_threads=keep_threads)
    watched = Watched(random_checkpoint(), "cpu", segmenter.limits)
    for _ in range(3):
        list(bands_of(scheduler, watched, noise(*LARGE)))
    assert len(set(threads)) == (1 if keep_threads else 3)

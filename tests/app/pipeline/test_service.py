import asyncio
import gc
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.formats.mask import MaskPng
from app.pipeline.admission import Admission
from app.pipeline.request import SegmentRequest
from app.pipeline.segmented import ResponseAborted
from app.pipeline.service import Service
from app.problems import DEADLINE, QUEUE_FULL, ProblemError
from benchmarks.process_tree import open_files
from model.checkpoint import Golden
from model.errors import CheckpointError
from model.segmenter import Segmenter
from model.tiling import Tiling
from tests.app.pipeline.services import (
    HEIGHT,
    SEGMENTER,
    WIDTH,
    end_services,
    make_request,
    make_service,
    make_slow_service,
    measure,
    unfinished,
    wait_until_idle,
)
from tests.model.random_checkpoint import random_checkpoint

LARGE_BYTES = 1 << 20
"""Size in bytes of a body that is likely a large image's."""


@pytest.fixture(autouse=True)
def _end_services() -> Iterator[None]:
    yield
    end_services()


def _reserved(service: Service) -> float:
    value = service._metrics.registry.get_sample_value
    return sum(value("fcn_memory_reserved_bytes", {"queue": queue}) or 0 for queue in ("small", "large"))


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def test_an_answer_whose_next_part_comes_too_late_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    more = threading.Event()
    service = make_slow_service(monkeypatch, more, deadline_s=3)

    async def ask() -> None:
        gone = asyncio.create_task(asyncio.sleep(60))
        with service.admit() as admission:
            chunks = await _chunks(service, make_request(), admission, gone)
            assert (await anext(chunks)).startswith(b"\x89PNG")
            with pytest.raises(ResponseAborted, match=r"its next chunk was not ready within 3 s"):
                await anext(chunks)
        assert unfinished(service) == 1  # the thread still works
        more.set()
        await wait_until_idle(service)
        gone.cancel()

    asyncio.run(ask())
    assert measure(service, "fcn_aborted_responses_total") == 1


def test_a_client_that_reads_slowly_holds_no_place_once_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    more = threading.Event()
    service = make_slow_service(monkeypatch, more)

    async def ask() -> bytes:
        gone = asyncio.create_task(asyncio.sleep(60))
        with service.admit() as admission:
            chunks = await _chunks(service, make_request(), admission, gone)
            assert unfinished(service) == 1
            more.set()
            await wait_until_idle(service)
            file = b"".join([chunk async for chunk in chunks])
        assert unfinished(service) == 0
        gone.cancel()
        return file

    file = Image.open(BytesIO(asyncio.run(ask())))
    assert file.size == (WIDTH, HEIGHT)
    file.load()


def test_a_client_that_goes_between_parts_is_counted_and_its_work_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    more = threading.Event()
    service = make_slow_service(monkeypatch, more)
    request = make_request()

    async def ask() -> None:
        leave = asyncio.Event()
        gone = asyncio.create_task(_wait(leave))
        with service.admit() as admission:
            chunks = await _chunks(service, request, admission, gone)
            leave.set()
            assert len([chunk async for chunk in chunks]) == 1
        assert request.cancelled.is_set()
        more.set()
        await wait_until_idle(service)

    asyncio.run(ask())
    assert measure(service, "fcn_client_disconnects_total") == 1


async def _chunks(
    service: Service, request: SegmentRequest, admission: Admission, gone: "asyncio.Task[None]"
) -> AsyncIterator[bytes]:
    """Chunks of a response that is sent while it is computed."""
    segmented = await service.run(request, admission, gone)
    assert segmented is not None
    assert segmented.complete is None
    return segmented.chunks


async def _mask(service: Service, request: SegmentRequest) -> bytes:
    """The response to a small image."""
    gone = asyncio.create_task(asyncio.sleep(60))
    with service.admit() as admission:
        segmented = await service.run(request, admission, gone)
        assert segmented is not None
        assert segmented.complete is not None
        gone.cancel()
        return segmented.complete.body


def test_bodies_that_arrive_take_no_place_in_the_queue() -> None:
    service = make_service(concurrency=1, queue_length=0)

    async def ask() -> None:
        with service.admit(), service.admit(), service.admit():
            assert unfinished(service) == 3
            assert await _mask(service, make_request(Tiling.AUTO))

    asyncio.run(ask())


def test_bodies_share_the_memory_that_there_is_for_them() -> None:
    service = make_service(body_memory_bytes=1000)

    async def ask() -> None:
        with service.admit() as one, service.admit() as other:
            service.reserve(one, 600)
            with pytest.raises(ProblemError, match="at most 1000 bytes; try again in 1 s") as refused:
                service.reserve(other, 401)
            assert refused.value.problem is QUEUE_FULL
            service.reserve(other, 400)
            assert measure(service, "fcn_body_bytes") == 1000
        assert measure(service, "fcn_body_bytes") == 0

    asyncio.run(ask())


def test_the_queue_is_looked_at_again_when_the_body_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    more = threading.Event()
    service = make_slow_service(monkeypatch, more, concurrency=1, queue_length=0)

    async def ask() -> None:
        gone = asyncio.create_task(asyncio.sleep(60))
        with service.admit(LARGE_BYTES) as one, service.admit(LARGE_BYTES) as other:
            for admission in (one, other):
                service.reserve(admission, LARGE_BYTES)
            await _chunks(service, make_request(), one, gone)
            with pytest.raises(ProblemError) as refused:
                await service.run(make_request(), other, gone)
            assert refused.value.problem is QUEUE_FULL
            with pytest.raises(ProblemError), service.admit(LARGE_BYTES):
                pass
            assert await _mask(service, make_request(Tiling.AUTO)), "photographs have places of their own"
            with service.admit(LARGE_BYTES, pixel_bytes=3):
                pass  # uncompressed, so many bytes are a photograph's
            more.set()
        await wait_until_idle(service)
        gone.cancel()

    asyncio.run(ask())


def test_the_memory_of_a_large_image_is_held_until_its_answer_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    more = threading.Event()
    service = make_slow_service(monkeypatch, more)

    def reserved() -> float:
        return _reserved(service)

    async def ask() -> None:
        gone = asyncio.create_task(asyncio.sleep(60))
        with service.admit() as admission:
            service.reserve(admission, 1000)
            chunks = await _chunks(service, make_request(), admission, gone)
            working = reserved()
            more.set()
            await wait_until_idle(service)
            assert 0 < reserved() < working
            assert measure(service, "fcn_body_bytes") == 1000
            assert [chunk async for chunk in chunks]
        assert reserved() == 0
        assert measure(service, "fcn_body_bytes") == 0
        gone.cancel()

    asyncio.run(ask())


def test_an_image_that_would_be_late_is_refused_at_once() -> None:
    service = make_service(seconds_per_pixel=1e-3, deadline_s=5)

    async def ask() -> None:
        with pytest.raises(ProblemError, match=r"would take about \d+ s, after 0 s of waiting work; 5 s") as refused:
            await _mask(service, make_request(Tiling.AUTO))
        assert refused.value.problem is DEADLINE

    asyncio.run(ask())
    assert _reserved(service) == 0


def test_a_reload_changes_the_weights_of_requests_that_come_after_it() -> None:
    golden = Golden(np.zeros((32, 32, 3), dtype=np.uint8), np.zeros((32, 32), dtype=np.uint8))
    other = Segmenter(replace(random_checkpoint(seed=1), digest="new", golden=golden), "cpu")
    service = make_service(load=lambda: other)

    async def ask() -> None:
        before, old = make_request(Tiling.AUTO), await _mask(service, make_request(Tiling.AUTO))
        assert await service.reload() == "new"
        assert service.segmenter is other
        assert await _mask(service, before) == old
        after = make_request(Tiling.AUTO, service.segmenter)
        assert await _mask(service, after) != old

    asyncio.run(ask())
    assert service._metrics.registry.get_sample_value("fcn_reloads_total", {"result": "success"}) == 1


def test_weights_that_cannot_be_used_leave_the_old_ones() -> None:
    def load() -> Segmenter:
        raise CheckpointError("weights file x is damaged")

    service = make_service(load=load)

    async def ask() -> None:
        with pytest.raises(CheckpointError, match="x is damaged"):
            await service.reload()
        assert await _mask(service, make_request(Tiling.AUTO))

    asyncio.run(ask())
    assert service.segmenter is SEGMENTER
    assert service._metrics.registry.get_sample_value("fcn_reloads_total", {"result": "failure"}) == 1


def test_who_is_refused_in_a_burst_is_told_of_those_whose_images_are_not_opened_yet() -> None:
    service = make_service(seconds_per_pixel=1e-5, concurrency=2, queue_length=8)

    async def ask() -> None:
        answers = [asyncio.create_task(_mask(service, make_request(Tiling.AUTO))) for _ in range(10)]
        for _ in range(5):
            await asyncio.sleep(0)
        with pytest.raises(ProblemError) as refused, service.admit():
            pass
        assert refused.value.retry_after_s is not None
        assert refused.value.retry_after_s > 10
        await asyncio.gather(*answers)

    asyncio.run(ask())


def _memory_files() -> int:
    """Number of open and mapped memory files."""
    count = Path("/proc/self/maps").read_text().count("memfd:")
    return count + sum("memfd:" in file for file in open_files(os.getpid()).values())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere images are decoded in the process")
@pytest.mark.parametrize("is_image", [True, False])
@pytest.mark.parametrize("goes", [True, False])
def test_what_requests_hold_is_free_when_they_have_ended(*, is_image: bool, goes: bool) -> None:
    service = make_service()

    async def ask() -> None:
        gone = asyncio.create_task(asyncio.sleep(0 if goes else 60))
        request = make_request() if is_image else SegmentRequest(b"no image", MaskPng(), SEGMENTER)
        with suppress(ProblemError), service.admit() as admission:
            segmented = await service.run(request, admission, gone)
            if segmented is not None:
                async for _ in segmented.chunks:
                    pass
        gone.cancel()

    async def check() -> None:
        for _ in range(5):
            await ask()
        await wait_until_idle(service)
        async with asyncio.timeout(10):
            while _memory_files():
                await asyncio.sleep(0.001)

    gc.collect()
    gc.disable()
    try:
        asyncio.run(check())
    finally:
        gc.enable()

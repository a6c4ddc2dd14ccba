import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.jobs import Job, Options
from app.metrics import Metrics
from app.rendering import MaskEncoding, OutputFormat
from app.service import BrokenOff, Service
from app.settings import Settings
from app.threads import start_threads
from model.segmentation import NO_TIME, Band
from model.segmenter import Segmenter
from model.tiling import Tiling
from tests.model.random_checkpoint import random_checkpoint

WIDTH, HEIGHT = 40, 50


def _job() -> Job:
    """Predicted in bands, whatever its size."""
    buffer = BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(buffer, "PNG")
    options = Options(OutputFormat.PNG, MaskEncoding.NONE, Tiling.OVERLAP, 0.5)
    return Job(buffer.getvalue(), options, max_pixels=10**6)


def _service(monkeypatch: pytest.MonkeyPatch, more: threading.Event, **settings: Any) -> Service:
    """A service that knows the first row at once, and the others when it may."""
    service = Service(
        Settings(**settings), Segmenter(random_checkpoint(), "cpu"), start_threads("all-cores", 1), Metrics()
    )

    def bands(*_: object, confidence: bool) -> Iterator[Band]:
        yield Band(np.zeros((1, WIDTH), dtype=np.uint8), NO_TIME)
        assert more.wait(30)
        yield Band(np.zeros((HEIGHT - 1, WIDTH), dtype=np.uint8), NO_TIME)

    monkeypatch.setattr(service._scheduler, "bands", bands)
    return service


def _unfinished(service: Service) -> float:
    value = service._metrics.registry.get_sample_value("fcn_unfinished_requests")
    assert value is not None
    return value


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _wait_until_idle(service: Service) -> None:
    async with asyncio.timeout(30):
        while _unfinished(service):
            await asyncio.sleep(0.001)


def test_an_answer_whose_next_part_comes_too_late_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    more = threading.Event()
    service = _service(monkeypatch, more, deadline_s=3)

    async def ask() -> None:
        gone = asyncio.create_task(asyncio.sleep(60))
        with service.admit() as place:
            parts = await service.run(_job(), place, gone)
            assert isinstance(parts, AsyncIterator)
            assert (await anext(parts)).startswith(b"\x89PNG")
            with pytest.raises(BrokenOff, match=r"its next part was not ready within 3 s"):
                await anext(parts)
        assert _unfinished(service) == 1  # the thread still works
        more.set()
        await _wait_until_idle(service)
        gone.cancel()

    asyncio.run(ask())
    assert service._metrics.registry.get_sample_value("fcn_broken_off_total") == 1


def test_a_client_that_reads_slowly_holds_no_place_once_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    more = threading.Event()
    service = _service(monkeypatch, more)

    async def ask() -> bytes:
        gone = asyncio.create_task(asyncio.sleep(60))
        with service.admit() as place:
            parts = await service.run(_job(), place, gone)
            assert isinstance(parts, AsyncIterator)
            assert _unfinished(service) == 1
            more.set()
            await _wait_until_idle(service)
            file = b"".join([part async for part in parts])
        assert _unfinished(service) == 0
        gone.cancel()
        return file

    picture = Image.open(BytesIO(asyncio.run(ask())))
    assert picture.size == (WIDTH, HEIGHT)
    picture.load()


def test_a_client_that_goes_between_parts_is_counted_and_its_work_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    more = threading.Event()
    service = _service(monkeypatch, more)
    job = _job()

    async def ask() -> None:
        leave = asyncio.Event()
        gone = asyncio.create_task(_wait(leave))
        with service.admit() as place:
            parts = await service.run(job, place, gone)
            assert isinstance(parts, AsyncIterator)
            leave.set()
            assert len([part async for part in parts]) == 1
        assert job.abandoned.is_set()
        more.set()
        await _wait_until_idle(service)

    asyncio.run(ask())
    assert service._metrics.registry.get_sample_value("fcn_abandoned_total") == 1

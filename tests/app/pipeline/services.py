"""Services, requests, and what services report."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.formats.mask import MaskPng
from app.observability.metrics import Metrics
from app.pipeline.request import SegmentRequest
from app.pipeline.service import Service
from app.pipeline.step import finished
from app.settings import Settings
from app.threads import thread_pool
from model.segmentation import NO_TIME, Band
from model.segmenter import Segmenter
from model.tiling import Tiling
from tests.model.random_checkpoint import random_checkpoint

WIDTH, HEIGHT = 40, 50
"""Size of the requests' image."""

SEGMENTER = Segmenter(random_checkpoint(), "cpu")


def make_request(tiling: Tiling = Tiling.OVERLAP, segmenter: Segmenter = SEGMENTER) -> SegmentRequest:
    """A request whose image is predicted in bands, whatever its size, unless ``tiling`` says otherwise."""
    buffer = BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(buffer, "PNG")
    return SegmentRequest(buffer.getvalue(), MaskPng(), segmenter, tiling)


_started: list[Service] = []


def make_service(
    load: Callable[[], Segmenter] = lambda: SEGMENTER, seconds_per_pixel: float = 1e-6, **settings: Any
) -> Service:
    """Start a service, until ``end_services``."""
    all_cores = thread_pool("all-cores", 1)
    service = Service(Settings(**settings), SEGMENTER, all_cores, Metrics(), load, seconds_per_pixel)
    _started.append(service)
    return service


def end_services() -> None:
    while _started:
        _started.pop().close()


def make_slow_service(monkeypatch: pytest.MonkeyPatch, more: threading.Event, **settings: Any) -> Service:
    """A service that computes the first row at once, and the others once ``more`` is set."""
    service = make_service(**settings)

    async def bands(*_: object, confidence: bool) -> AsyncIterator[Band]:
        yield Band(np.zeros((1, 1, WIDTH), dtype=np.uint8), NO_TIME)
        with ThreadPoolExecutor(1) as thread:
            assert await finished(thread.submit(more.wait, 30))
        yield Band(np.zeros((1, HEIGHT - 1, WIDTH), dtype=np.uint8), NO_TIME)

    monkeypatch.setattr(service._pipeline.scheduler, "bands", bands)
    return service


def measure(service: Service, name: str) -> float:
    """Value of one of a service's metrics."""
    value = service._metrics.registry.get_sample_value(name)
    assert value is not None
    return value


def unfinished(service: Service) -> float:
    return measure(service, "fcn_unfinished_requests")


async def wait_until_idle(service: Service) -> None:
    async with asyncio.timeout(30):
        while unfinished(service):
            await asyncio.sleep(0.001)

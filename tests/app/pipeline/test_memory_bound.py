import logging
from dataclasses import replace

import pytest

from app.pipeline.memory_bound import MemoryBound
from app.settings import Settings
from model.errors import DeviceError


def bound(**settings: object) -> MemoryBound:
    return MemoryBound.of(
        Settings.model_validate(settings), decoders=7, headers=2, batch_pixels=0, cores=2, is_cuda=False
    )


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """A memory limit, by the parameter's megabytes below the bound of the default settings."""
    monkeypatch.setattr("app.pipeline.memory_bound.memory_limit", lambda: None)
    limit_bytes = bound().total_bytes - int(request.param * 1e6)
    monkeypatch.setattr("app.pipeline.memory_bound.memory_limit", lambda: limit_bytes)
    return limit_bytes


@pytest.mark.parametrize("limit", [0, -1000], indirect=True)
def test_a_limit_that_suffices_changes_nothing(limit: int, caplog: pytest.LogCaptureFixture) -> None:
    assert bound().total_bytes <= limit
    assert bound().large_bytes == Settings().image_memory_bytes
    assert caplog.records == []


@pytest.mark.parametrize("limit", [1, 1000, 3000, 3300], indirect=True)
def test_below_it_less_is_admitted_and_the_log_says_so(limit: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        lower = bound()
    assert limit - 2 <= lower.total_bytes <= limit
    assert f"FCN_IMAGE_MEMORY_BYTES is taken as {lower.large_bytes}" in caplog.text


@pytest.mark.parametrize("limit", [1000], indirect=True)
def test_large_images_get_less_before_bodies_do(limit: int) -> None:
    lower = bound()
    assert lower.large_bytes < Settings().image_memory_bytes
    assert replace(lower, large_bytes=Settings().image_memory_bytes).total_bytes > limit
    assert lower.body_bytes == Settings().body_memory_bytes


@pytest.mark.parametrize("limit", [3300], indirect=True)
def test_two_of_the_largest_bodies_always_find_room(limit: int) -> None:
    lower = bound()
    assert lower.total_bytes <= limit
    assert 2 * Settings().max_upload_bytes <= lower.body_bytes < Settings().body_memory_bytes


@pytest.mark.parametrize("limit", [3600, 6000], indirect=True)
def test_a_limit_too_low_is_refused_with_the_sum(limit: int) -> None:
    with pytest.raises(
        DeviceError, match=rf"limit is {limit / 1e6:.0f} MB a worker, and these settings take at most \d+ MB \("
    ):
        bound()


@pytest.mark.parametrize("limit", [0], indirect=True)
def test_workers_share_the_limit(limit: int) -> None:
    lower = bound(workers=2)
    assert lower.total_bytes <= limit // 2

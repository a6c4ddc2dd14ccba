import gc
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from app.images.pool import Decoders
from app.problems import ProblemError
from benchmarks.reliability.decoding_fuzz import CORPUS, fuzz
from benchmarks.reliability.decoding_targets import read_upload

MAX_PIXELS = 1_000_000


def inputs(target: str) -> list[Path]:
    return sorted((CORPUS / target).iterdir())


@pytest.fixture(scope="module")
def failures() -> list[str]:
    """Failures of decoders."""
    return []


@pytest.fixture(scope="module")
def decoders(failures: list[str]) -> Iterator[Decoders]:
    decoders = Decoders(1, MAX_PIXELS, on_failure=failures.append)
    yield decoders
    decoders.close()


@pytest.mark.parametrize("path", inputs("images"), ids=lambda path: path.name)
def test_images_of_the_corpus_are_read_or_refused(decoders: Decoders, failures: list[str], path: Path) -> None:
    with suppress(ProblemError), closing(decoders.open(path.read_bytes())) as picture:
        if picture.header.pixels <= MAX_PIXELS:
            assert decoders.decode(picture).shape[2] == 3
    assert failures == []


@pytest.mark.parametrize("path", inputs("uploads"), ids=lambda path: path.name)
def test_uploads_of_the_corpus_are_read_or_refused(path: Path) -> None:
    read_upload(path.read_bytes())
    gc.collect()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["images", "uploads"])
def test_a_short_campaign_finds_nothing(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    campaign = fuzz(target, 3, tmp_path)
    assert campaign.executions > 100
    assert campaign.branches > 0
    assert campaign.crashes == {}


@pytest.mark.slow
def test_an_exception_ends_a_process_and_leaves_its_input(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    campaign = fuzz("uploads", 3, tmp_path, module="tests.reliability.crashing_fuzz_target")
    path, said = next(iter(campaign.crashes.items()))
    assert b"X" in Path(path).read_bytes()
    assert "an X" in said

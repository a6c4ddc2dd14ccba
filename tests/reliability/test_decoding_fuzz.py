from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from app.decoders import Decoders
from app.problems import ProblemError
from benchmarks.reliability.decoding_fuzz import CORPUS, fuzz

MAX_PIXELS = 1_000_000


def _fail(kind: str) -> None:
    raise AssertionError(f"a decoder has {kind}")


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    decoders = Decoders(1, MAX_PIXELS, on_failure=_fail)
    yield decoders
    decoders.close()


@pytest.mark.parametrize("path", sorted((CORPUS / "images").iterdir()), ids=lambda path: path.name)
def test_images_of_the_corpus_are_read_or_refused(decoders: Decoders, path: Path) -> None:
    with suppress(ProblemError), closing(decoders.open(path.read_bytes())) as picture:
        if picture.header.pixels <= MAX_PIXELS:
            assert decoders.decode(picture).shape[2] == 3


@pytest.mark.parametrize("target", ["images", "uploads"])
def test_a_short_campaign_finds_nothing(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    campaign = fuzz(target, 3, tmp_path)
    assert campaign.executions > 100
    assert campaign.branches > 0
    assert campaign.crashes == {}


def test_an_exception_ends_a_process_and_leaves_its_input(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    campaign = fuzz("uploads", 3, tmp_path, module="tests.reliability.crashing_fuzz_target")
    path, said = next(iter(campaign.crashes.items()))
    assert b"X" in Path(path).read_bytes()
    assert "an X" in said

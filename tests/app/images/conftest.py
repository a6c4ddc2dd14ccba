from collections.abc import Callable, Iterator

import pytest

from app.images.pool import Decoders
from tests.app.images.decoding import CRASHING, MAX_PIXELS


@pytest.fixture
def failures() -> list[str]:
    """Failures of all decoders of a test."""
    return []


@pytest.fixture
def make(failures: list[str]) -> Iterator[Callable[..., Decoders]]:
    """Makes decoder pools, and ends them with the test."""
    made: list[Decoders] = []

    def make(count: int = 1, **options: object) -> Decoders:
        decoders = Decoders(count, MAX_PIXELS, module=CRASHING, on_failure=failures.append, **options)  # type: ignore[arg-type]
        made.append(decoders)
        return decoders

    yield make
    for decoders in made:
        decoders.close()

import resource
from collections.abc import Iterator

import pytest

from app.server.open_files import allowed_connections, raise_open_files_limit


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize(("allowed", "connections"), [(1000, 300), (400, 272), (130, 8)])
def test_connections_leave_descriptors_for_the_rest(allowed: int, connections: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    assert allowed_connections(300) == connections


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, most))
    raise_open_files_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)

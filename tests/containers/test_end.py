"""Stopping a container."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event

import httpx2
import pytest
from PIL import Image

from benchmarks.docker import HARDENED, Container, docker

GRACE_S = 75
"""Seconds of the grace period in docker-compose.yml."""


@pytest.fixture
def container(cpu_image: str) -> Iterator[Container]:
    with Container(cpu_image, *HARDENED, "--publish", "127.0.0.1::8000", "--stop-timeout", str(GRACE_S)) as container:
        yield container.wait_until_healthy()


def test_stopped_under_load_it_loses_nothing_that_was_accepted(container: Container, photograph: bytes) -> None:
    large = BytesIO()
    Image.linear_gradient("L").resize((4000, 3000)).convert("RGB").save(large, "JPEG")
    stopping = Event()
    answered = Event()

    def ask() -> list[int]:
        """Send requests until the service announces its end or refuses connections; return the statuses."""
        statuses: list[int] = []
        while True:
            try:
                response = container.segment(photograph)
            except httpx2.ConnectError:
                return statuses
            except httpx2.TransportError:
                # The listening socket closes with connections that were not accepted.
                assert stopping.is_set()
                return statuses
            if response.status_code == 200:
                Image.open(BytesIO(response.content)).load()
                answered.set()
            statuses.append(response.status_code)
            if stopping.is_set() and response.status_code != 200:
                return statuses

    with ThreadPoolExecutor(5) as threads:
        giant = threads.submit(container.segment, large.getvalue())
        clients = [threads.submit(ask) for _ in range(4)]
        assert answered.wait(60)
        assert not giant.done()
        stopping.set()
        docker("stop", container.id)
        statuses = [status for client in clients for status in client.result()]
        response = giant.result()
    assert response.status_code == 200
    with Image.open(BytesIO(response.content)) as mask:
        mask.load()
    assert set(statuses) <= {200, 503}
    assert container.state["ExitCode"] == 0
    # Every response has arrived whole.
    requests = [line for line in map(json.loads, container.logs) if line["message"] == "request"]
    answered_200 = [line for line in requests if line["path"] == "/segment" and line["status"] == 200]
    assert len(answered_200) == statuses.count(200) + 1


def test_stopped_at_rest_it_ends_in_order(container: Container) -> None:
    docker("stop", "--time", "20", container.id)
    assert container.state["ExitCode"] == 0

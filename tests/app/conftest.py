from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.api.application import create_app
from app.settings import Settings
from model.checkpoint import Summary
from tests.app.server_process import ForkedServer, ServerProcess
from tests.model.random_checkpoint import random_checkpoint
from training.export.export import export

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def cat() -> bytes:
    """A photograph of a cat, 451 x 300."""
    return (EXAMPLES / "cat.jpg").read_bytes()


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    """A client of the application in this process, with the shipped weights."""
    with TestClient(create_app(Settings(threads=1)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a small network, with which a service starts in a tenth of the time."""
    file = tmp_path_factory.mktemp("weights") / "small.safetensors"
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    export(random_checkpoint(), image, Summary(name="small"), file)
    return file


_DEADLINE_S = 600
"""Request deadline in seconds, long: on a busy machine, large images would be refused for their estimated time."""


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """The service in a process of its own, as `make serve` starts it."""
    with ServerProcess(deadline_s=_DEADLINE_S) as server:
        yield server


@pytest.fixture
def start_server() -> Iterator[Callable[..., ServerProcess]]:
    """Starts services with given settings, forked unless a command prefix is given, and ends them with the test."""
    with ExitStack() as started:

        def start(*prefix: str, **settings: object) -> ServerProcess:
            settings.setdefault("deadline_s", _DEADLINE_S)
            return started.enter_context(ServerProcess(*prefix, **settings) if prefix else ForkedServer(**settings))

        yield start

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api.application import create_app
from app.settings import Settings
from tests.app.observability.exposition import Exposition


@pytest.fixture(scope="package")
def told(examples: Path) -> Exposition:
    """Metrics of a service that has responded to a request."""
    with TestClient(create_app(Settings(threads=1))) as client:
        assert client.post("/segment", content=(examples / "cat.jpg").read_bytes()).status_code == 200
        return Exposition(client.get("/metrics").text)

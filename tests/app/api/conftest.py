from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api.application import create_app
from app.settings import Settings
from tests.app.api.api_keys import keys_file

ORIGIN = "https://pages.example"
"""Origin whose pages may use the service."""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, small_weights: Path) -> Iterator[TestClient]:
    """A service with keys, protected metrics, and one origin let in."""
    settings = Settings(
        threads=1,
        weights=small_weights,
        api_keys_file=keys_file(tmp_path_factory.mktemp("keys")),
        protect_metrics=True,
        cors_origins=(ORIGIN,),
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client

import re
from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

PREFIX = "/seg"
_LINK = re.compile(r"""(?:src|href|spec-url)="([^"#]+)"|url: '([^']+)'""")


@pytest.fixture
def behind_a_proxy(client: TestClient) -> TestClient:
    """A proxy that serves the service under a path unknown to it, and nothing else."""

    async def hand_on(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        stripped = path.removeprefix(PREFIX) if path.startswith(f"{PREFIX}/") else "/nothing"
        await client.app({**scope, "path": stripped, "raw_path": stripped.encode()}, receive, send)

    return TestClient(hand_on)


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_reference_works_below_a_path(behind_a_proxy: TestClient, page: str) -> None:
    place = f"{PREFIX}{page}"
    links = {link for pair in _LINK.findall(behind_a_proxy.get(place).text) for link in pair if link}
    assert "openapi.json" in links
    assert len(links) >= 3
    for link in links:
        assert behind_a_proxy.get(urljoin(place, link)).status_code == 200, link


def test_the_document_says_that_the_service_is_where_it_is_itself(behind_a_proxy: TestClient) -> None:
    place = f"{PREFIX}/openapi.json"
    document = behind_a_proxy.get(place).json()
    (server,) = document["servers"]
    assert urljoin(place, server["url"]) == f"{PREFIX}/"
    assert "/livez" in document["paths"]

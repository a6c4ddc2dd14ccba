from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from app import problems
from app.api.application import create_app
from app.settings import Settings
from tests.app.api.api_keys import bearer
from tests.app.api.conftest import ORIGIN
from tests.app.problems import require_problem


def test_origins_come_with_commas_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FCN_CORS_ORIGINS", "https://a.example, http://b.example:8080")
    assert Settings().cors_origins == ("https://a.example", "http://b.example:8080")


@pytest.mark.parametrize("origins", ["https://a.example/", "https://a.example, b.example", "https://a.example?"])
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("FCN_CORS_ORIGINS", origins)
    with pytest.raises(ValidationError, match="is not an origin"):
        Settings()


def preflight(client: TestClient, origin: str) -> httpx2.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-api-key, x-request-id",
    }
    return client.options("/segment", headers=asked)


def test_a_preflight_needs_no_key(guarded: TestClient) -> None:
    response = preflight(guarded, ORIGIN)
    assert response.status_code == 200
    assert response.headers["x-request-id"]
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in response.headers["access-control-allow-methods"]


def test_other_origins_are_not_let_in(guarded: TestClient) -> None:
    refused = preflight(guarded, "https://evil.example")
    assert "origin" in require_problem(refused, problems.INVALID_REQUEST)["detail"]
    assert "access-control-allow-origin" not in refused.headers
    response = guarded.get("/model", headers={**bearer("segment"), "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in response.headers


def test_pages_of_an_origin_let_in_can_read_answers_and_errors(guarded: TestClient, cat: bytes) -> None:
    for headers, status in ((bearer("segment"), 200), ({}, 401)):
        response = guarded.post("/segment", content=cat, headers={**headers, "Origin": ORIGIN})
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == ORIGIN
        exposed = response.headers["access-control-expose-headers"].split(", ")
        own = {"Server-Timing", "X-Checkpoint-SHA256", "X-Request-ID", "X-Segmentation-Precision"}
        assert set(exposed) == own | {"Inference-Header-Content-Length", "Retry-After"}
        assert "Origin" in response.headers["vary"]


def test_pages_elsewhere_can_read_even_faults_of_the_service(small_weights: Path) -> None:
    app = create_app(Settings(threads=1, weights=small_weights, cors_origins=("*",)))

    @app.get("/fault")
    async def fault() -> None:
        raise RuntimeError("on purpose")

    with TestClient(app, raise_server_exceptions=False) as client:
        response = client.get("/fault", headers={"Origin": ORIGIN})
        require_problem(response, problems.INTERNAL)
        assert response.headers["access-control-allow-origin"] == "*"


def test_no_origin_is_let_in_by_default(client: TestClient) -> None:
    require_problem(preflight(client, ORIGIN), problems.METHOD_NOT_ALLOWED)
    headers = client.get("/model", headers={"Origin": ORIGIN}).headers
    assert not [name for name in headers if name.startswith("access-control")]

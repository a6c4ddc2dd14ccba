import pytest
from starlette.testclient import TestClient

PATHS = (
    *("/", "/docs", "/redoc", "/openapi.json", "/static/page.js", "/static-offline-docs/swagger-ui.css"),
    *("/livez", "/readyz", "/health", "/metrics", "/classes", "/model", "/problems/not-an-image", "/missing"),
    *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/segmentation", "/v2/models/segmentation/ready"),
    "/v2/models/segmentation/config",
)
_OF_ONE_ANSWER = ("x-request-id", "date")


@pytest.mark.parametrize("path", PATHS)
def test_head_is_answered_wherever_get_is(client: TestClient, path: str) -> None:
    asked, headed = client.get(path), client.head(path)
    assert headed.status_code == asked.status_code
    assert headed.content == b""
    compared = [
        {name: value for name, value in answer.headers.items() if name not in _OF_ONE_ANSWER}
        for answer in (asked, headed)
    ]
    if path == "/metrics":  # it counts its own requests
        del compared[0]["content-length"], compared[1]["content-length"]
    assert compared[0] == compared[1]


def test_what_is_no_get_is_no_head(client: TestClient) -> None:
    response = client.head("/segment")
    assert (response.status_code, response.headers["allow"], response.content) == (405, "POST", b"")
    assert client.post("/livez").headers["allow"] == "GET, HEAD"


def test_a_head_request_is_counted_as_one(client: TestClient) -> None:
    client.head("/problems/draining")
    counted = 'fcn_requests_total{method="HEAD",route="/problems/{slug}",status="200"}'
    assert counted in client.get("/metrics").text

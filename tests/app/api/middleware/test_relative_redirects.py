from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("/segment/?format=json", "/segment?format=json"),
        ("/docs/", "/docs"),
        ("/v2/", "/v2"),
        ("/v2/models/segmentation/infer/", "/v2/models/segmentation/infer"),
    ],
)
def test_a_slash_too_many_leads_back_below_a_proxys_path(client: TestClient, asked: str, meant: str) -> None:
    response = client.post(asked, follow_redirects=False)
    assert response.status_code == 307
    assert urljoin(f"https://example.org/seg{asked}", response.headers["location"]) == f"https://example.org/seg{meant}"
    assert client.get("/docs/").status_code == 200

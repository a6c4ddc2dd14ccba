from typing import Any

import pytest
from starlette.testclient import TestClient


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_every_route_of_the_contract_is_described(document: dict[str, Any]) -> None:
    probes = {"/livez", "/readyz", "/health", "/metrics"}
    routes = {"/segment", "/classes", "/model", "/problems/{slug}", "/admin/reload"}
    model = "/v2/models/{model}"
    oip = {"/v2", "/v2/health/live", "/v2/health/ready", "/v2/repository/index"}
    oip |= {model, f"{model}/ready", f"{model}/config", f"{model}/infer"}
    assert set(document["paths"]) == routes | probes | oip
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert operation["description"]


def test_segment_takes_files_and_answers_images_json_or_problems(document: dict[str, Any]) -> None:
    operation = document["paths"]["/segment"]["post"]
    body = operation["requestBody"]["content"]
    assert body["multipart/form-data"]["schema"]["properties"]["image"]["format"] == "binary"
    assert "image/jpeg" in body
    answers = operation["responses"]
    assert set(answers["200"]["content"]) == {"image/png", "application/json"}
    assert answers["200"]["content"]["application/json"]["schema"]["$ref"].endswith("SegmentationResponse")
    assert set(answers) == {"200", "400", "401", "403", "406", "408", "413", "415", "422", "429", "503", "504"}
    for status, answer in answers.items():
        if status != "200":
            assert list(answer["content"]) == ["application/problem+json"]
            assert answer["content"]["application/problem+json"]["examples"]
    assert all(parameter["description"] for parameter in operation["parameters"])


def test_references_within_the_document_resolve(document: dict[str, Any]) -> None:
    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [found for value in node.values() for found in references(value)]
        if isinstance(node, list):
            return [found for value in node for found in references(value)]
        return []

    found = references(document)
    assert found
    for reference in found:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


@pytest.mark.parametrize("page", ["/docs", "/redoc", "/"])
def test_pages_need_nothing_from_elsewhere(client: TestClient, page: str) -> None:
    response = client.get(page)
    assert response.headers["content-type"].startswith("text/html")
    assert "https://" not in response.text
    assert "http://" not in response.text

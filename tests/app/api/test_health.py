import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.problems import DEVICE_FAILED
from tests.app.observability.exposition import Exposition
from tests.app.problems import require_problem


def test_probes_answer_when_ready(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "live"}
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/health").json() == {"status": "ready"}


def test_probes_tell_of_a_device_that_fails_again_and_again_until_it_works(
    client: TestClient, cat: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    assert isinstance(client.app, FastAPI)
    with monkeypatch.context() as broken:
        broken.setattr(client.app.state.service.segmenter, "segment_together", fail)
        for _ in range(3):
            assert client.get("/livez").status_code == 200
            require_problem(client.post("/segment", content=cat), DEVICE_FAILED)
        for probe in ("/livez", "/readyz"):
            document = require_problem(client.get(probe), DEVICE_FAILED)
            assert "illegal memory access" in document["detail"]
    assert client.post("/segment", content=cat).status_code == 200
    assert client.get("/livez").status_code == client.get("/readyz").status_code == 200


def test_methods_that_clients_invent_share_one_series(client: TestClient) -> None:
    client.request("BREW", "/segment")
    text = client.get("/metrics").text
    assert 'method="other"' in text
    assert "BREW" not in text


def test_metrics_count_requests_stages_and_pixels(client: TestClient, cat: bytes) -> None:
    before = Exposition(client.get("/metrics").text)
    client.post("/segment", content=cat)
    client.post("/segment", content=b"nonsense")
    after = Exposition(client.get("/metrics").text)

    def grown(name: str, **labels: str) -> float:
        return after.value(name, **labels) - (before.value(name, **labels) if before.series(name, **labels) else 0)

    assert grown("fcn_requests_total", route="/segment", status="200") == 1
    assert grown("fcn_requests_total", route="/segment", status="400") == 1
    assert grown("fcn_refusals_total") == grown("fcn_refusals_total", reason="not-an-image") == 1
    assert grown("fcn_pixels_total") == 451 * 300
    assert grown("fcn_megapixels_count") == grown("fcn_megapixels_bucket", le="0.25") == 1
    assert grown("fcn_batch_images_sum") == 1
    assert after.value("fcn_unfinished_requests") == 0
    for stage in ("queue", "decode", "preprocess", "forward", "upsample", "encode"):
        assert grown("fcn_stage_seconds_count", stage=stage) == 1


def test_metrics_tell_which_weights_are_served_and_how_much_memory_is_allowed(client: TestClient) -> None:
    told = Exposition(client.get("/metrics").text)
    assert told.value("fcn_info", sha256=client.get("/model").json()["sha256"], device="cpu") == 1
    assert 0 < told.value("fcn_memory_limit_bytes") < told.value("fcn_memory_bound_bytes")
    assert told.value("fcn_resident_bytes") > 0
    assert told.value("fcn_memory_reserved_bytes") == told.value("fcn_body_bytes") == 0

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient


def test_probes_answer_when_ready(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "live"}
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/health").json() == {"status": "ready"}


def samples(client: TestClient) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("stage", sample.labels.get("status", ""))): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.labels.get("route", "/segment") == "/segment"
    }


def test_methods_that_clients_invent_share_one_series(client: TestClient) -> None:
    client.request("BREW", "/segment")
    text = client.get("/metrics").text
    assert 'method="other"' in text
    assert "BREW" not in text


def test_metrics_count_requests_stages_and_pixels(client: TestClient, cat: bytes) -> None:
    before = samples(client)
    client.post("/segment", content=cat)
    client.post("/segment", content=b"nonsense")
    after = samples(client)

    def grown(name: str, label: str = "") -> float:
        return after[name, label] - before.get((name, label), 0)

    assert grown("fcn_requests_total", "200") == 1
    assert grown("fcn_requests_total", "400") == 1
    assert grown("fcn_pixels_total") == 451 * 300
    assert after["fcn_unfinished_requests", ""] == 0
    for stage in ("queue", "decode", "preprocess", "forward", "upsample", "encode"):
        assert grown("fcn_stage_seconds_count", stage) == 1

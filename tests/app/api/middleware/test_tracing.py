import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.testclient import TestClient

from app.api.middleware.tracing import sending_spans, trace_id
from app.observability.logs import FIELDS
from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS
from tests.app.observability.otlp_collector import OtlpCollector, attributes
from tests.app.server_process import ForkedServer, ServerProcess

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
STAGES = ["queue", "decode", "preprocess", "forward", "upsample", "encode"]


@pytest.fixture(scope="module")
def collector() -> Iterator[OtlpCollector]:
    with OtlpCollector() as collector:
        yield collector


@pytest.fixture(scope="module")
def log(collector: OtlpCollector, cat: bytes) -> list[dict[str, object]]:
    """Log lines of a service that has sent its spans to the collector and ended."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        server = ForkedServer()
    with server, server.client() as client:
        called = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=1", "X-Request-ID": "called"}
        client.post("/segment", content=cat, headers=called)
        client.post("/segment", content=b"nonsense", headers={"X-Request-ID": "own"})
        client.get("/model", headers={"traceparent": f"00-{'c' * 32}-{CALLER}-00", "X-Request-ID": "unsampled"})
        client.get("/readyz")
        return [json.loads(line) for line in server.end() if line.startswith("{")]


def line_of(log: list[dict[str, object]], request_id: str) -> dict[str, object]:
    (line,) = [line for line in log if line.get("id") == request_id]
    return line


def requests(collector: OtlpCollector) -> list[Span]:
    return [span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER]


def test_a_request_is_a_span_of_its_callers_trace(log: list[dict[str, object]], collector: OtlpCollector) -> None:
    (span,) = [span for span in requests(collector) if span.trace_id.hex() == TRACE]
    assert span.name == "POST /segment"
    assert span.parent_span_id.hex() == CALLER
    assert span.trace_state == "vendor=1"
    expected: dict[str, object] = {
        "http.request.method": "POST",
        "http.route": "/segment",
        "http.response.status_code": 200,
        "http.response.header.x-request-id": ["called"],
        "url.path": "/segment",
        "fcn.pixels": 451 * 300,
        "fcn.checkpoint.sha256": Checkpoint.load(DEFAULT_WEIGHTS).digest,
    }
    assert attributes(span) == {**attributes(span), **expected}
    assert line_of(log, "called")["trace_id"] == TRACE


def test_each_stage_is_a_span_after_the_one_before(log: list[dict[str, object]], collector: OtlpCollector) -> None:
    (request,) = [span for span in requests(collector) if span.trace_id.hex() == TRACE]
    stages = [span for span in collector.spans if span.parent_span_id == request.span_id]
    assert [span.name for span in stages] == STAGES
    seconds = line_of(log, "called")["stages"]
    assert isinstance(seconds, dict)
    for before, span in zip([None, *stages], stages, strict=False):
        assert (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 == pytest.approx(
            seconds[span.name], abs=1e-3
        )
        assert span.start_time_unix_nano == (before.end_time_unix_nano if before else span.start_time_unix_nano)
    assert request.start_time_unix_nano < stages[0].start_time_unix_nano
    assert stages[-1].end_time_unix_nano < request.end_time_unix_nano


def test_without_a_caller_a_trace_begins_that_the_log_names(
    log: list[dict[str, object]], collector: OtlpCollector
) -> None:
    (span,) = [span for span in requests(collector) if span.trace_id.hex() != TRACE]
    assert not span.parent_span_id
    assert attributes(span)["http.response.status_code"] == 400
    assert line_of(log, "own")["trace_id"] == span.trace_id.hex()


def test_what_the_caller_does_not_record_and_probes_are_not_recorded(
    log: list[dict[str, object]], collector: OtlpCollector
) -> None:
    assert {attributes(span)["http.route"] for span in requests(collector)} == {"/segment"}
    assert line_of(log, "unsampled")["trace_id"] == "c" * 32


def test_spans_name_the_service_and_what_the_environment_adds(
    log: list[dict[str, object]], collector: OtlpCollector
) -> None:
    assert collector.resource["service.name"] == "fcn-segmentation"
    assert collector.resource["deployment.environment.name"] == "test"


@pytest.mark.slow
def test_a_collector_that_does_not_answer_holds_up_neither_requests_nor_the_end(
    start_server: Callable[..., ServerProcess], cat: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        server = start_server()
        with server.client() as client:
            client.get("/model")
            silent.settimeout(30)
            connection, _ = silent.accept()  # from now on the service waits for the collector
            assert client.post("/segment", content=cat).status_code == 200
        ended = time.monotonic()
        server.end()
        # The exporter alone would wait for 10 s, and again for the next batch.
        assert time.monotonic() - ended < 10
        assert server.process.returncode == 0
        connection.close()


def test_the_callers_trace_is_in_the_log_without_any_traces_of_our_own(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="app"):
        client.get("/model", headers={"traceparent": f"00-{TRACE}-{CALLER}-00"})
        client.get("/model")
    first, second = [getattr(record, FIELDS) for record in caplog.records if record.message == "request"]
    assert first["trace_id"] == TRACE
    assert "trace_id" not in second


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        TRACE,
        f"00-{TRACE}-{CALLER}",
        f"00-{TRACE}-{CALLER}-01-more",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{CALLER}-01",
        f"00-{TRACE[:-1]}\n-{CALLER}-01",
        f"00-{TRACE}-{CALLER}-01" * 100,
    ],
)
def test_malformed_traceparents_are_ignored(header: str) -> None:
    assert trace_id({"traceparent": header}) is None


def test_later_versions_of_traceparent_may_say_more() -> None:
    assert trace_id({"traceparent": f"01-{TRACE}-{CALLER}-01-more"}) == TRACE


def test_the_service_starts_without_the_extra_and_says_that_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with sending_spans():
        pass
    assert "the extra otel is not installed" in caplog.text


def test_nothing_is_imported_for_traces_that_nobody_asked_for() -> None:
    program = (
        "import sys; from app.api.application import create_app; from app.api.middleware.tracing import sending_spans\n"
        "with sending_spans(): print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"

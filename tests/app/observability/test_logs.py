import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.observability.logs import FIELDS, JsonFormatter, TextFormatter, log_config
from app.process_settings import LogFormat
from tests.app.server_process import ServerProcess

EVIL = 'a\nlevel=error "quoted" \x1b[31m\u2028end'


def _record(message: str, **fields: object) -> logging.LogRecord:
    record = logging.LogRecord("app", logging.WARNING, __file__, 1, message, None, None)
    setattr(record, FIELDS, fields)
    return record


def test_json_holds_message_and_fields_whatever_they_are() -> None:
    document = json.loads(JsonFormatter().format(_record(EVIL, path=EVIL, stages={"decode": 0.5}, other=object)))
    assert document["message"] == document["path"] == EVIL
    assert document["stages"] == {"decode": 0.5}
    assert document["level"] == "warning"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", document["time"])


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_what_strangers_sent_stays_on_its_line(formatter: logging.Formatter) -> None:
    line = formatter.format(_record(EVIL, path=EVIL))
    assert "\n" not in line
    assert "\x1b" not in line


def test_text_is_short() -> None:
    line = TextFormatter().format(_record("request", status=200, stages={"decode": 0.00123456}))
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning request status=200 stages=decode:0.001235", line)


def test_exceptions_are_told() -> None:
    record = _record("failed")
    try:
        raise ValueError("the reason")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    assert "ValueError: the reason" in json.loads(JsonFormatter().format(record))["exception"]
    assert TextFormatter().format(record).endswith("ValueError: the reason")


@pytest.mark.parametrize(
    ("form", "expected"),
    [(LogFormat.JSON, JsonFormatter), (LogFormat.TEXT, TextFormatter), (LogFormat.AUTO, JsonFormatter)],
)
def test_auto_is_json_where_nobody_reads(
    form: LogFormat, expected: type[logging.Formatter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert log_config(form, "info")["formatters"]["line"]["()"] is expected


def test_a_request_is_one_line(client: TestClient, cat: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="app"):
        response = client.post("/segment?format=json&mask=none", content=cat)
        client.get("/livez")
    (fields,) = [getattr(record, FIELDS) for record in caplog.records if record.message == "request"]
    assert fields["id"] == response.headers["x-request-id"]
    assert (fields["method"], fields["path"], fields["status"]) == ("POST", "/segment", 200)
    assert (fields["bytes_in"], fields["bytes_out"]) == (len(cat), len(response.content))
    assert fields["digest"] == response.headers["x-checkpoint-sha256"]
    assert fields["pixels"] == 451 * 300
    assert set(fields["stages"]) == {"queue", "decode", "preprocess", "forward", "upsample", "encode"}
    assert 0 < sum(fields["stages"].values()) < fields["seconds"]
    assert set(fields).isdisjoint({"client", "problem", "trace_id"})


def test_what_a_request_was_refused_for_is_in_its_line(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="app"):
        client.post("/segment", content=b"nonsense")
        client.get("/no/such/path")
    lines = [getattr(record, FIELDS) for record in caplog.records if record.message == "request"]
    assert [line["problem"] for line in lines] == ["not-an-image", "not-found"]
    assert "digest" not in lines[0]


def test_the_service_logs_json_where_nobody_reads(
    start_server: Callable[..., ServerProcess], small_weights: Path, cat: bytes
) -> None:
    server = start_server(weights=small_weights)
    with server.client() as client:
        client.post("/segment", content=cat, headers={"X-Request-ID": "mine"})
        client.get("/no/such%0Apath")
    lines = [json.loads(line) for line in server.end() if line.startswith("{")]
    requests = [line for line in lines if line["message"] == "request"]
    assert [(line["status"], line["path"]) for line in requests] == [(200, "/segment"), (404, "/no/such%0Apath")]
    assert requests[0]["id"] == "mine"

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from app import problems
from app.problems import Problem
from app.server.protocol import MAX_AHEAD, MAX_HEADER_BYTES, MAX_HEADERS
from tests.app.server_process import ForkedServer, ServerProcess

_GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
_LAST_GET = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_CHUNKED = b"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
_LARGE = "/static-offline-docs/swagger-ui-bundle.js"
_CONNECTIONS = 20


@pytest.fixture(scope="module")
def strict(small_weights: Path) -> Iterator[ServerProcess]:
    """A service with short timeouts."""
    limits = {"header_timeout_s": 1, "send_timeout_s": 0.5, "max_connections": _CONNECTIONS}
    with ForkedServer(weights=small_weights, **limits) as server:
        yield server


def test_a_connection_that_sends_nothing_is_closed(strict: ServerProcess) -> None:
    with _connect(strict) as connection:
        assert connection.recv(1) == b""


def test_a_head_that_comes_byte_by_byte_is_answered_408_in_time(strict: ServerProcess) -> None:
    started = time.monotonic()
    with _connect(strict) as connection:
        _send_slowly(connection, b"GET /livez HTTP/1.1\r\nX: " + b"x" * 1000)
        _require_refusal(_all(connection), problems.HEADER_TIMEOUT)
    assert 1 <= time.monotonic() - started < 3


def test_line_ends_alone_do_not_keep_a_connection(strict: ServerProcess) -> None:
    with _connect(strict) as connection:
        _send_slowly(connection, b"\r\n" * 500)
        assert _all(connection) == b""


def test_the_head_of_a_second_request_is_limited_in_time_too(strict: ServerProcess) -> None:
    with _connect(strict) as connection:
        connection.sendall(_GET + _GET[:10])
        first, _, second = _all(connection).partition(b'{"status":"live"}')
        assert first.startswith(b"HTTP/1.1 200")
        _require_refusal(second, problems.HEADER_TIMEOUT)


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"GET /livez?", id="path"),
        pytest.param(b"GET /livez HTTP/1.1\r\nX: ", id="header"),
        pytest.param(_CHUNKED + b"1;name=", id="extension of a chunk"),
        pytest.param(_CHUNKED + b"0\r\nX: ", id="trailer"),
    ],
)
def test_a_head_without_end_is_answered_431(strict: ServerProcess, start: bytes) -> None:
    with _connect(strict) as connection:
        connection.sendall(start)
        with suppress(ConnectionError):
            for _ in range(1000):
                connection.sendall(b"x" * 4096)
        _require_refusal(_all(connection), problems.REQUEST_HEADER_FIELDS_TOO_LARGE)


@pytest.mark.parametrize("headers", [b"X: y\r\n" * (MAX_HEADERS + 1), b"X: %b\r\n" % (b"x" * MAX_HEADER_BYTES)])
def test_a_head_that_is_too_large_is_answered_431(strict: ServerProcess, headers: bytes) -> None:
    with _connect(strict) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n" + headers + b"\r\n")
        _require_refusal(_all(connection), problems.REQUEST_HEADER_FIELDS_TOO_LARGE)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        _CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n"),
        _CHUNKED.replace(b"chunked", b"gzip"),
        _CHUNKED + b"hello\r\n",
        b"GET http://a:99999/livez HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[/livez HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://@/livez HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_400(strict: ServerProcess, request_bytes: bytes) -> None:
    with _connect(strict) as connection:
        connection.sendall(request_bytes)
        _require_refusal(_all(connection), problems.REQUEST_MALFORMED)


def test_a_request_in_pieces_is_answered(strict: ServerProcess) -> None:
    with _connect(strict) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in _LAST_GET:
            connection.sendall(bytes([byte]))
        assert _all(connection).startswith(b"HTTP/1.1 200")


def test_trailers_are_passed_over(strict: ServerProcess, cat: bytes) -> None:
    with _connect(strict) as connection:
        connection.sendall(_CHUNKED + b"%x\r\n%b\r\n" % (len(cat), cat) + b"0\r\nX: y\r\n\r\n" + _LAST_GET)
        assert _statuses(_all(connection)) == [200, 200]


def test_requests_sent_ahead_are_answered_in_order(strict: ServerProcess) -> None:
    paths = ["/livez", "/classes", "/nowhere"] * (MAX_AHEAD // 3)
    with _connect(strict) as connection:
        connection.sendall(b"".join(_GET.replace(b"/livez", path.encode()) for path in paths) + _LAST_GET)
        assert _statuses(_all(connection)) == [200, 200, 404] * (MAX_AHEAD // 3) + [200]


def test_too_many_requests_sent_ahead_are_refused_after_the_answers_that_are_due(strict: ServerProcess) -> None:
    with _connect(strict) as connection:
        connection.sendall(_GET * 1000)
        assert _statuses(_all(connection)) == [200] * (MAX_AHEAD + 1) + [400]


def test_nonsense_after_a_request_does_not_cost_its_answer(strict: ServerProcess, cat: bytes) -> None:
    head = b"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(cat)
    with _connect(strict) as connection:
        connection.sendall(head + cat + b"nonsense")
        assert _statuses(_all(connection)) == [200, 400]


@pytest.mark.parametrize(
    "bad", [_CHUNKED + b"zz\r\n", b"GET http://a:b/ HTTP/1.1\r\nHost: a\r\n\r\n", _GET * 3 + _CHUNKED + b"zz\r\n"]
)
def test_a_bad_request_behind_others_does_not_cost_their_answers(strict: ServerProcess, cat: bytes, bad: bytes) -> None:
    head = b"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(cat)
    with _connect(strict) as connection:
        connection.sendall(head + cat + bad)
        assert _statuses(_all(connection)) == [200, *[200] * bad.count(_GET), 400]


@pytest.mark.parametrize("target", [b"http://x", b"http://x?a=1", b"http://x/", b"http://x/?a=1"])
def test_an_absolute_target_need_not_have_a_path(strict: ServerProcess, target: bytes) -> None:
    with _connect(strict) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = _all(connection)
    assert _statuses(answer) == [200]
    assert b"content-type: text/html" in answer


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_connection_that_would_be_upgraded_ends_when_it_is_to(strict: ServerProcess, version: bytes) -> None:
    head = b"GET /livez HTTP/" + version + b"\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n"
    with _connect(strict) as connection:
        connection.sendall(head)
        assert b"connection: close" in _all(connection)


def test_what_is_wrong_behind_an_upgrade_is_told_as_elsewhere(strict: ServerProcess) -> None:
    upgraded = _GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    bad = _GET.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * MAX_HEADERS + b"\r\n")
    with _connect(strict) as connection:
        connection.sendall(upgraded + bad)
        assert _statuses(_all(connection)) == [200, 431]


def test_a_request_that_would_rather_speak_http2_is_answered_in_http1(strict: ServerProcess, cat: bytes) -> None:
    head = (
        b"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n"
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n\r\n"
    )
    with _connect(strict) as connection:
        connection.sendall(head % len(cat) + cat[:1000])
        connection.sendall(cat[1000:] + _LAST_GET)
        assert _statuses(_all(connection)) == [200, 200]


def test_connections_above_the_limit_are_answered_503_and_others_go_on(strict: ServerProcess) -> None:
    with ExitStack() as stack:
        kept = [stack.enter_context(_connect(strict)) for _ in range(_CONNECTIONS)]
        with _connect(strict) as connection:
            _require_refusal(_all(connection), problems.TOO_MANY_CONNECTIONS)
        kept[0].sendall(_LAST_GET)
        assert _all(kept[0]).startswith(b"HTTP/1.1 200")
        with _connect(strict) as connection:
            connection.sendall(_GET)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_a_client_that_does_not_read_is_cut_off(strict: ServerProcess) -> None:
    with _connect(strict, receive_buffer=4096) as connection:
        connection.sendall(_GET.replace(b"/livez", _LARGE.encode()) * 16)
        _wait_for_metric(strict, "fcn_send_timeouts_total 1.0")
        assert len(_all(connection)) < 8 * 1_500_000


@pytest.mark.slow
def test_a_client_that_reads_slowly_gets_all_of_its_answer(strict: ServerProcess) -> None:
    """It reads so slowly that the system's buffers of some megabytes stay full for a while."""
    with strict.client() as client:
        size = len(client.get(_LARGE).content)
    received = 0
    with _connect(strict, receive_buffer=4096) as connection:
        connection.sendall(_GET.replace(b"/livez", _LARGE.encode()) * 2)
        while part := connection.recv(1 << 15):
            received += len(part)
            time.sleep(0.005)
    assert received > 2 * size


def _connect(server: ServerProcess, receive_buffer: int | None = None) -> socket.socket:
    connection = socket.socket()
    connection.settimeout(20)
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.connect(("127.0.0.1", server.port))
    return connection


def _send_slowly(connection: socket.socket, data: bytes) -> None:
    """Send a byte every 50 ms, until there is something to read."""
    connection.settimeout(0.05)
    for byte in data:
        with suppress(TimeoutError):
            connection.recv(1, socket.MSG_PEEK)
            break
        connection.sendall(bytes([byte]))
    connection.settimeout(20)


def _all(connection: socket.socket) -> bytes:
    """Read until the connection is closed."""
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def _statuses(responses: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", responses)]


def _require_refusal(response: bytes, problem: Problem) -> None:
    """Require a response with this problem that closes the connection."""
    head, _, body = response.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0].startswith(b"http/1.1 %d " % problem.status), response
    assert b"content-type: application/problem+json" in lines
    assert b"connection: close" in lines
    assert b"content-length: %d" % len(body) in lines
    assert any(line.startswith(b"x-request-id: ") for line in lines)
    document = json.loads(body)
    assert (document["type"], document["status"]) == (problem.type, problem.status)
    assert document["detail"]


def _wait_for_metric(server: ServerProcess, line: str) -> None:
    deadline = time.monotonic() + 10
    with server.client() as client:
        while line not in client.get("/metrics").text:
            assert time.monotonic() < deadline, line

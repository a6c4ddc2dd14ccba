"""Two services behind nginx, as with `docker compose --profile scale up`."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from app import problems
from benchmarks.waiting import wait_until
from tests.app.load import Load
from tests.app.observability.exposition import Exposition
from tests.app.problems import require_problem
from tests.app.server_process import ServerProcess
from tests.ecosystem.nginx import Proxy, needs_nginx
from tests.ecosystem.ports import free_ports

pytestmark = needs_nginx

_wait_until = partial(wait_until, timeout_s=60)
"""Long timeout, because services respond slowly while many tests run at once."""

Start = Callable[..., ServerProcess]
StartProxy = Callable[..., Proxy]


@pytest.fixture
def start_proxy(tmp_path: Path) -> Iterator[StartProxy]:
    """Starts nginx in front of services, and ends it with the test."""
    with ExitStack() as stack:

        def start(*services: ServerProcess, changes: Mapping[str, str] | None = None) -> Proxy:
            return stack.enter_context(Proxy(tmp_path, [service.port for service in services], changes or {}))

        yield start


def _large(width: int, height: int) -> bytes:
    """A JPEG of more than a megabyte, which nginx passes on as it arrives."""
    noise = np.random.default_rng(0).integers(0, 256, (750, 1000, 3), np.uint8)
    content = _encoded(Image.fromarray(noise).resize((width, height)), "JPEG", quality=95)
    assert len(content) > 1_000_000
    return content


def _encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def _measure(service: ServerProcess, name: str, **labels: str) -> float:
    with service.client() as client:
        return Exposition(client.get("/metrics").text).value(name, **labels)


def _kill(service: ServerProcess) -> None:
    service.process.kill()
    service.process.wait(timeout=20)


def _problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    """Require nginx's own problem document, of a kind that the service does not have, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"]
    document: dict[str, Any] = response.json()
    assert document["type"] == "about:blank"
    assert document["status"] == status
    assert document["detail"]
    return document


def _answer_of(content: bytes) -> httpx2.Response:
    """Parse a response from its bytes, as received over a connection."""
    head, _, body = content.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return httpx2.Response(int(status.split()[1]), headers=headers, content=body)


def test_a_photograph_has_the_answer_of_a_service_and_its_id_passes_through(
    start_server: Start, start_proxy: StartProxy, cat: bytes
) -> None:
    service = start_server()
    proxy = start_proxy(service)
    with service.client() as direct, proxy.client() as client:
        expected = direct.post("/segment", content=cat)
        named = client.post("/segment", content=cat, headers={"X-Request-ID": "mine-1"})
        unnamed = client.post("/segment", content=cat, headers={"X-Request-ID": "not harmless"})
    assert named.content == unnamed.content == expected.content
    assert named.headers["x-checkpoint-sha256"] == expected.headers["x-checkpoint-sha256"]
    assert named.headers["x-request-id"] == "mine-1"
    made = unnamed.headers["x-request-id"]
    assert made != "not harmless"
    service_log = "".join(service.end())
    for name in ("mine-1", made):
        assert f'"id":"{name}"' in service_log
        assert f'"id":"{name}"' in proxy.text


def test_the_address_in_the_log_is_the_clients_whatever_it_says(
    start_server: Start, start_proxy: StartProxy, cat: bytes
) -> None:
    service = start_server(trusted_proxies="*")
    proxy = start_proxy(service)
    with httpx2.Client(transport=httpx2.HTTPTransport(local_address="127.0.0.2"), base_url=proxy.url) as client:
        headers = {"X-Forwarded-For": "192.0.2.7"}
        assert client.post("/segment", content=cat, headers=headers, timeout=60).status_code == 200
    (line,) = [line for line in service.end() if '"path":"/segment"' in line]
    assert json.loads(line)["address"] == "127.0.0.2"


def test_what_is_each_replicas_own_is_not_to_be_had_through_nginx(
    server: ServerProcess, start_proxy: StartProxy
) -> None:
    with start_proxy(server).client() as client:
        assert client.get("/readyz").status_code == 200
        assert client.get("/model").status_code == 200
        for response in (client.get("/metrics"), client.post("/admin/reload"), client.get("/-/ready")):
            require_problem(response, problems.NOT_FOUND)
        # The service's own response, not nginx's.
        assert require_problem(client.get("/nothing"), problems.NOT_FOUND)["detail"].startswith("GET /nothing")
        require_problem(client.post("/segment", content=b"text"), problems.NOT_AN_IMAGE)


@pytest.mark.parametrize("is_streamed", [True, False])
def test_the_first_rows_of_a_large_mask_arrive_before_the_last_are_known(
    server: ServerProcess, start_proxy: StartProxy, is_streamed: bool
) -> None:
    body = _large(4000, 3000) if is_streamed else _encoded(Image.new("RGB", (4000, 3000), "grey"), "JPEG")
    assert (len(body) < 1_000_000) != is_streamed
    pixels = _measure(server, "fcn_pixels_total")
    with start_proxy(server).client() as client, client.stream("POST", "/segment", content=body) as response:
        assert response.status_code == 200, response.read()
        parts = response.iter_bytes()
        received = [next(parts)]
        assert _measure(server, "fcn_unfinished_requests") == 1
        assert _measure(server, "fcn_pixels_total") == pixels
        received += parts
    with Image.open(BytesIO(b"".join(received))) as mask:
        mask.load()
        assert mask.size == (4000, 3000)
    assert _measure(server, "fcn_pixels_total") == pixels + 12_000_000


def test_the_service_has_the_first_bytes_of_an_upload_before_the_last_are_sent(
    server: ServerProcess, start_proxy: StartProxy
) -> None:
    body = _encoded(Image.new("RGB", (3500, 2400), "grey"), "BMP")
    assert len(body) > 20_000_000

    def parts() -> Iterator[bytes]:
        yield body[: len(body) // 2]
        _wait_until(lambda: _measure(server, "fcn_body_bytes") > 10_000_000)
        yield body[len(body) // 2 :]

    with start_proxy(server).client() as client:
        response = client.post("/segment", content=parts(), headers={"Content-Length": str(len(body))})
    with Image.open(BytesIO(response.content)) as mask:
        assert mask.size == (3500, 2400)


def test_a_body_that_comes_too_slowly_is_answered_by_the_service(start_server: Start, start_proxy: StartProxy) -> None:
    service = start_server(upload_idle_timeout_s=0.5)
    upload = start_proxy(service).unfinished_upload(bytes(2_000_000), sent=1_000_000)
    require_problem(_answer_of(upload.response()), problems.UPLOAD_TIMEOUT)


def test_what_is_too_large_is_refused_in_the_services_form(server: ServerProcess, start_proxy: StartProxy) -> None:
    proxy = start_proxy(server)
    with proxy.client() as client:
        # The service allows a form of this size, but not an image.
        announced = client.post("/segment", content=bytes(33_619_969))
        untold = client.post("/segment", content=(bytes(1 << 20) for _ in range(40)))
        service_own = client.post("/segment", content=bytes(33_554_433))
        for response in (announced, untold, service_own):
            require_problem(response, problems.BODY_TOO_LARGE)
            assert "33554432" in response.json()["detail"]
        require_problem(
            client.get("/model", headers={"X-Long": "x" * 20_000}), problems.REQUEST_HEADER_FIELDS_TOO_LARGE
        )
        require_problem(client.get("/model?" + "x" * 20_000), problems.REQUEST_HEADER_FIELDS_TOO_LARGE)


@pytest.mark.parametrize("head", ["GET / HTTP/1.1\r\nno header", "nonsense"])
def test_what_is_no_http_is_refused_in_the_services_form(
    server: ServerProcess, start_proxy: StartProxy, head: str
) -> None:
    proxy = start_proxy(server)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        content = b"".join(iter(lambda: connection.recv(65536), b""))
    require_problem(_answer_of(content), problems.REQUEST_MALFORMED)


def test_one_address_has_not_all_connections(server: ServerProcess, start_proxy: StartProxy, cat: bytes) -> None:
    proxy = start_proxy(server, changes={"limit_conn clients 128;": "limit_conn clients 1;"})
    upload = proxy.unfinished_upload(bytes(2_000_000), sent=1_000_000)
    with proxy.client() as client:
        _wait_until(lambda: client.get("/model").status_code == 429)
        assert require_problem(client.post("/segment", content=cat), problems.RATE_LIMITED)
        upload.close()
        _wait_until(lambda: client.get("/model").status_code == 200)


def test_a_replica_that_ends_loses_no_request_and_gets_no_new_one(
    start_server: Start, start_proxy: StartProxy, cat: bytes
) -> None:
    services = [start_server(threads=1, drain_timeout_s=120) for _ in range(2)]
    large = _large(1500, 1000)
    proxy = start_proxy(*services)
    with ThreadPoolExecutor() as threads, proxy.client() as client, Load(proxy, cat) as load:
        _wait_until(lambda: load.outcomes[200] > 10)
        in_work = threads.submit(client.post, "/segment", content=large)
        _wait_until(lambda: any(_measure(service, "fcn_body_bytes") > 1_000_000 for service in services))
        other, ending = sorted(services, key=lambda service: _measure(service, "fcn_body_bytes"))
        ending.process.send_signal(signal.SIGTERM)
        with ending.client() as direct:
            _wait_until(lambda: direct.get("/readyz").status_code == 503)
        # Still processing the first request, and so still draining.
        second = threads.submit(client.post, "/segment", content=large)
        _wait_until(lambda: _measure(other, "fcn_body_bytes") > 1_000_000)
        assert ending.process.poll() is None
        ending.process.wait(timeout=120)
        done = load.outcomes[200]
        _wait_until(lambda: load.outcomes[200] > done + 10)
        masks = [request.result().content for request in (in_work, second)]
    assert set(load.outcomes) == {200}
    assert ending.process.returncode == 0
    assert masks[0] == masks[1]
    with Image.open(BytesIO(masks[0])) as mask:
        assert mask.size == (1500, 1000)


def test_a_replica_that_is_killed_fails_its_own_uploads_alone(
    start_server: Start, start_proxy: StartProxy, cat: bytes
) -> None:
    services = [start_server(threads=1), start_server(threads=1)]
    proxy = start_proxy(*services)
    cut_off = proxy.unfinished_upload(bytes(2_000_000), sent=1_000_000)
    _wait_until(lambda: any(_measure(service, "fcn_body_bytes") > 500_000 for service in services))
    killed = max(services, key=lambda service: _measure(service, "fcn_body_bytes"))
    with Load(proxy, cat) as load:
        _wait_until(lambda: load.outcomes[200] > 10)
        _kill(killed)
        done = load.outcomes[200]
        _wait_until(lambda: load.outcomes[200] > done + 20)
    # Photographs in progress there were sent to the other one.
    assert set(load.outcomes) == {200}
    _problem(_answer_of(cut_off.response()), 502)
    with proxy.client() as client:
        assert client.post("/segment", content=iter([cat])).status_code == 200


def test_a_photograph_is_given_to_every_replica_until_one_takes_it(
    server: ServerProcess, tmp_path: Path, cat: bytes
) -> None:
    """Several replicas may be starting at once after ``--scale``."""
    with Proxy(tmp_path, [*free_ports(4), server.port], {}) as proxy, proxy.client() as client:
        assert [client.post("/segment", content=cat).status_code for _ in range(5)] == [200] * 5


def test_without_replicas_the_answers_are_problems_and_one_that_returns_is_found(
    start_server: Start, start_proxy: StartProxy, cat: bytes
) -> None:
    services = [start_server(threads=1), start_server(threads=1)]
    proxy = start_proxy(*services)
    for service in services:
        _kill(service)
    with proxy.client() as client:
        photograph = client.post("/segment", content=cat)
        _problem(photograph, 502)
        assert photograph.headers["retry-after"] == "1"
        streamed = client.post("/segment", content=iter([cat]))
        require_problem(streamed, problems.NOT_READY)
        assert streamed.headers["retry-after"] == "1"
        start_server(threads=1, port=services[0].port)
        _wait_until(lambda: client.post("/segment", content=cat).status_code == 200)
        assert client.post("/segment", content=iter([cat])).status_code == 200


def test_a_replica_that_hangs_is_waited_for_within_bounds(
    start_server: Start, start_proxy: StartProxy, cat: bytes
) -> None:
    service = start_server(threads=1)
    changes = {"proxy_read_timeout 130s;": "proxy_read_timeout 1s;", "proxy_read_timeout 5s;": "proxy_read_timeout 1s;"}
    proxy = start_proxy(service, changes=changes)
    with proxy.client() as client:
        assert client.post("/segment", content=cat).status_code == 200
        service.process.send_signal(signal.SIGSTOP)
        try:
            started = time.monotonic()
            _problem(client.post("/segment", content=cat), 504)
            require_problem(client.post("/segment", content=iter([cat])), problems.NOT_READY)
            assert time.monotonic() - started < 10
        finally:
            service.process.send_signal(signal.SIGCONT)
        _wait_until(lambda: client.post("/segment", content=cat).status_code == 200)

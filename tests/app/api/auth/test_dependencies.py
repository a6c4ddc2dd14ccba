import hashlib
import re
import socket
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app import problems
from app.api.application import create_app
from app.settings import Settings
from tests.app.api.api_keys import KEYS, bearer, keys_file
from tests.app.problems import require_problem
from tests.app.server_process import ServerProcess, refused_start

Start = Callable[..., ServerProcess]

OPEN = ["/livez", "/readyz", "/health", "/", "/static/page.js", "/docs", "/redoc", "/openapi.json"]
GUARDED = ["/classes", "/model"]


@pytest.mark.parametrize("name", ["segment", "everything"])
@pytest.mark.parametrize("path", GUARDED)
def test_a_key_opens_what_its_scopes_say(guarded: TestClient, path: str, name: str) -> None:
    assert guarded.get(path, headers=bearer(name)).status_code == 200
    assert guarded.get(path, headers={"X-API-Key": KEYS[name]}).status_code == 200


def test_a_key_opens_segment(guarded: TestClient, cat: bytes) -> None:
    assert guarded.post("/segment", content=cat, headers=bearer("segment")).status_code == 200
    assert guarded.post("/segment", files={"image": cat}, headers={"X-API-Key": KEYS["segment"]}).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("POST", "/segment"), ("GET", "/classes"), ("GET", "/model")])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer unknown"},
        {"Authorization": f"Basic {KEYS['segment']}"},
        {"Authorization": KEYS["segment"]},
        {"X-API-Key": ""},
        {"X-API-Key": "unknown"},
        {"X-API-Key": "k" * 10_000},
        {"X-API-Key": hashlib.sha256(KEYS["segment"].encode()).hexdigest()},
        {"Cookie": f"X-API-Key={KEYS['segment']}"},
    ],
)
def test_no_key_or_an_unknown_one_is_unauthorized(
    guarded: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    response = guarded.request(method, path, headers=headers)
    require_problem(response, problems.UNAUTHORIZED)
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_key_in_the_address_is_not_looked_at(guarded: TestClient) -> None:
    require_problem(guarded.get(f"/model?api_key={KEYS['segment']}"), problems.UNAUTHORIZED)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/segment", "metrics"),
        ("GET", "/classes", "admin"),
        ("GET", "/model", "metrics"),
        ("GET", "/metrics", "segment"),
    ],
)
def test_a_key_without_the_scope_is_forbidden(guarded: TestClient, method: str, path: str, name: str) -> None:
    document = require_problem(guarded.request(method, path, headers=bearer(name)), problems.FORBIDDEN)
    assert f"the key of {name} lacks the scope" in document["detail"]
    assert KEYS[name] not in str(document)


def test_metrics_can_be_protected(guarded: TestClient) -> None:
    require_problem(guarded.get("/metrics"), problems.UNAUTHORIZED)
    assert guarded.get("/metrics", headers=bearer("metrics")).status_code == 200


@pytest.mark.parametrize("path", [*OPEN, problems.UNAUTHORIZED.type])
def test_probes_pages_and_descriptions_stay_open(guarded: TestClient, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_metrics_stay_open_unless_protected(tmp_path: Path, small_weights: Path) -> None:
    with TestClient(
        create_app(Settings(threads=1, weights=small_weights, api_keys_file=keys_file(tmp_path)))
    ) as client:
        assert client.get("/metrics").status_code == 200
        require_problem(client.get("/model"), problems.UNAUTHORIZED)


def test_without_keys_everything_is_open(client: TestClient) -> None:
    for path in [*OPEN, *GUARDED, "/metrics"]:
        assert client.get(path).status_code == 200


def test_the_key_comes_before_parameters_body_and_a_place(guarded: TestClient) -> None:
    # With a key, each of these is refused for a different reason.
    for query, headers in (("format=gif", {}), ("", {"Content-Type": "text/plain"}), ("", {"Accept": "text/html"})):
        require_problem(guarded.post(f"/segment?{query}", headers=headers), problems.UNAUTHORIZED)


def test_a_stranger_is_refused_before_the_body_arrives(
    start_server: Start, tmp_path: Path, small_weights: Path
) -> None:
    server = start_server(api_keys_file=keys_file(tmp_path), weights=small_weights)
    upload = server.unfinished_upload(b"x" * 1000, sent=10)
    head = upload.response()
    assert head.startswith(b"HTTP/1.1 401")
    assert b"/problems/unauthorized" in head
    with server.client() as client:
        require_problem(client.post("/segment", content=bytes(30_000_000)), problems.UNAUTHORIZED)


def test_a_bad_file_of_keys_ends_the_start_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("camera 123\n")
    code, said = refused_start(api_keys_file=path)
    assert code != 0
    assert f"the keys in {path} cannot be used: line 1: after the name camera" in said
    assert "Traceback" not in said


def test_protection_without_keys_ends_the_start_in_a_sentence() -> None:
    code, said = refused_start(protect_metrics=True)
    assert code != 0
    assert "FCN_PROTECT_METRICS=True: requires API keys, in the file that FCN_API_KEYS_FILE names" in said
    assert "Traceback" not in said


def test_the_reference_says_where_a_key_is_needed(guarded: TestClient, client: TestClient) -> None:
    def needing_keys(client: TestClient) -> dict[str, list[dict[str, list[str]]]]:
        document = client.get("/openapi.json").json()
        assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
        return {
            path: operation["security"]
            for path, methods in document["paths"].items()
            for operation in methods.values()
            if "security" in operation
        }

    def needs(scope: str) -> list[dict[str, list[str]]]:
        return [{"bearer": [scope]}, {"header": [scope]}]

    admin = {"/admin/reload": needs("admin")}
    assert needing_keys(client) == admin
    assert needing_keys(guarded) == admin | {
        "/segment": needs("segment"),
        "/classes": needs("segment"),
        "/model": needs("segment"),
        "/metrics": needs("metrics"),
        "/v2": needs("segment"),
        "/v2/models/{model}": needs("segment"),
        "/v2/models/{model}/config": needs("segment"),
        "/v2/models/{model}/infer": needs("segment"),
        "/v2/repository/index": needs("segment"),
    }


def test_each_key_has_a_rate_of_its_own(tmp_path: Path, small_weights: Path) -> None:
    settings = Settings(
        threads=1, weights=small_weights, api_keys_file=keys_file(tmp_path), rate_per_s=0.001, rate_burst=2
    )
    with TestClient(create_app(settings)) as client:
        for _ in range(2):
            require_problem(client.post("/segment", headers=bearer("segment")), problems.NOT_AN_IMAGE)
        response = client.post("/segment", headers=bearer("segment"))
        document = require_problem(response, problems.RATE_LIMITED)
        wait_s = int(response.headers["retry-after"])
        assert 990 < wait_s <= 1000
        assert f"try again in {wait_s} s" in document["detail"]
        require_problem(client.post("/segment", headers=bearer("everything")), problems.NOT_AN_IMAGE)
        assert client.get("/model", headers=bearer("segment")).status_code == 200
        require_problem(client.post("/segment"), problems.UNAUTHORIZED)


def test_without_keys_each_address_has_a_rate_of_its_own(small_weights: Path) -> None:
    app = create_app(Settings(threads=1, weights=small_weights, rate_per_s=0.001, rate_burst=1))
    with TestClient(app, client=("192.0.2.1", 1)) as client:
        require_problem(client.post("/segment"), problems.NOT_AN_IMAGE)
        require_problem(client.post("/segment"), problems.RATE_LIMITED)
        other = TestClient(app, client=("192.0.2.2", 1))
        require_problem(other.post("/segment"), problems.NOT_AN_IMAGE)


EVIL = b"cat\n12:00:00 info injected\x1b[31m\x7f\xc2\x9b.jpg"


def exchange(server: ServerProcess, request: bytes) -> bytes:
    """Send raw bytes that no library would send, and return the whole response."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def post(target: bytes, headers: list[bytes], body: bytes) -> bytes:
    """The bytes of a POST request."""
    lines = [
        b"POST %s HTTP/1.1" % target,
        b"Host: x",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("form", "line_pattern"),
    [("json", r"\{.*\}"), ("text", r"\d\d:\d\d:\d\d (debug|info|warning|error) .*")],
)
def test_the_log_tells_who_came_but_no_key_and_nothing_raw(
    start_server: Start, tmp_path: Path, small_weights: Path, cat: bytes, form: str, line_pattern: str
) -> None:
    server = start_server(weights=small_weights, api_keys_file=keys_file(tmp_path), log_format=form, log_level="debug")
    secret = KEYS["everything"].encode()
    name = EVIL.replace(b"\n", b"%0A") + b'\\"'
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="%s"\r\n\r\n%s\r\n--b--\r\n' % (name, cat)
    multipart = b"Content-Type: multipart/form-data; boundary=b"
    requests = [
        post(b"/segment", [b"Authorization: Bearer " + secret, multipart], part),
        post(b"/segment", [b"X-API-Key: " + secret], cat),
        post(b"/segment", [b"Authorization: Bearer wrong-" + secret], cat),
        post(b"/segment?api_key=" + secret, [], cat),
        post(b"/segment", [b"X-API-Key: " + secret + b"\n " + EVIL], cat),
        post(b"/segment", [b"X-API-Key: " + secret, b"X-Request-ID: " + EVIL], b"body-" + secret),
        post(b"/segment", [b"X-API-Key: " + secret, b"Content-Type: image/" + EVIL], b"body-" + secret),
        post(b"/admin/reload", [b"X-API-Key: " + secret], b""),
        post(b"/missing%0A%1B[31m", [b"X-API-Key: " + secret], b""),
        post(b"/missing/" + EVIL, [b"X-API-Key: " + secret], b""),
        EVIL + secret + b"\r\n\r\n",
    ]
    statuses = [exchange(server, request)[9:12] for request in requests]
    assert statuses[:4] == [b"200", b"200", b"401", b"401"]
    assert statuses[7:9] == [b"200", b"404"]
    assert b"500" not in statuses
    lines = [line.removesuffix("\n") for line in server.end()]
    log = "\n".join(lines)
    assert "everything" in log
    assert secret.decode() not in log
    assert "body-" not in log
    assert "cat\n" not in log
    assert [line for line in lines if not re.fullmatch(line_pattern, line)] == []
    assert [line for line in lines if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in line)] == []

from pathlib import Path

import pytest

from app.client import Client, ServiceConnectionError
from app.client.connection import is_local, proxy_of
from tests.app.client.scripted_server import ScriptedServer, response

_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
ELSEWHERE = "http://segmentation.example:8000"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000", True),
        ("https://127.8.9.1", True),
        ("http://localhost:8000/below", True),
        ("http://a.localhost", True),
        ("http://[::1]:8000", True),
        ("http://0.0.0.0:8000", True),
        (ELSEWHERE, False),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
    ],
)
def test_this_machine_is_known_by_its_addresses(url: str, expected: bool) -> None:
    assert is_local(url) is expected


@pytest.mark.parametrize(
    ("variable", "proxy"),
    [
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        ("http_proxy", "127.0.0.1:9"),
        ("ALL_PROXY", "socks5://127.0.0.1:9"),
        ("all_proxy", "socks5h://127.0.0.1:9"),
        ("ALL_PROXY", "socks4://127.0.0.1:9"),
        ("NO_PROXY", "::1,[fe80::]/10,*"),
    ],
)
def test_a_service_on_this_machine_needs_no_proxy(monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str) -> None:
    monkeypatch.setenv(variable, proxy)
    with (
        ScriptedServer(response("200 OK", b'{"name": "small"}')) as server,
        Client(server.url.replace("127.0.0.1", "localhost"), retries=0) as client,
    ):
        assert client.model() == {"name": "small"}


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_a_proxy_that_is_not_there_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://me:secret@127.0.0.1:9")
    with Client(ELSEWHERE, retries=0) as client, pytest.raises(ServiceConnectionError) as failure:
        client.model()
    assert str(failure.value).endswith("(through the proxy 127.0.0.1:9, which the environment names)")
    assert "secret" not in str(failure.value)


def test_a_request_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(response("200 OK", b'{"name": "small"}')) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with Client(ELSEWHERE, retries=0) as client:
            assert client.model() == {"name": "small"}
    assert proxy.requests[0].startswith(f"GET {ELSEWHERE}/model HTTP/1.1".encode())


@pytest.mark.parametrize("proxy", ["socks4://127.0.0.1:9", "ftp://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_said(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ValueError, match="the proxy that the environment names cannot be used"):
        Client(ELSEWHERE)


@pytest.mark.parametrize("url", [ELSEWHERE, "http://127.0.0.1:9"])
@pytest.mark.parametrize("content", [None, ""])
def test_certificates_that_cannot_be_used_are_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, url: str
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(ValueError, match="the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be used"):
        Client(url)


def test_hosts_that_the_environment_leaves_out_have_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@proxy:3128")
    assert proxy_of(ELSEWHERE) == "proxy:3128"
    assert proxy_of(ELSEWHERE.replace("http", "https")) is None
    monkeypatch.setenv("NO_PROXY", ".example")
    assert proxy_of(ELSEWHERE) is None
    assert proxy_of("http://127.0.0.1") is None

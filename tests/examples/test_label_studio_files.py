import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2
import pytest

from examples.label_studio.files import Files

PERSONAL, LEGACY = "head.refresh.signature", "0123456789abcdef"


@contextmanager
def label_studio(authorization: str) -> Iterator[str]:
    """A URL with one image, for requests with this header."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/data/upload/1/cat.jpg"
            self.send_response(404 if not known else 200 if self.headers["Authorization"] == authorization else 401)
            self.end_headers()
            self.wfile.write(b"an image")

        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert (self.path, told) == ("/api/token/refresh", {"refresh": PERSONAL})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"access": "short-lived"}')

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


@pytest.mark.parametrize(("key", "authorization"), [(PERSONAL, "Bearer short-lived"), (LEGACY, f"Token {LEGACY}")])
def test_either_kind_of_token_opens_a_task_s_image(key: str, authorization: str) -> None:
    with label_studio(authorization) as url, Files(url, key) as files:
        assert files.read("/data/upload/1/cat.jpg") == b"an image"
        assert files.read(f"{url}/data/upload/1/cat.jpg") == b"an image"


def test_an_image_that_is_not_there_is_an_error() -> None:
    with label_studio(f"Token {LEGACY}") as url, Files(url, LEGACY) as files, pytest.raises(httpx2.HTTPStatusError):
        files.read("/data/upload/1/dog.jpg")


@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254/latest/meta-data", "//127.0.0.1:1/x", "file:///etc/passwd", "s3://bucket/cat.jpg"],
)
def test_other_addresses_are_not_asked(address: str) -> None:
    with Files("http://127.0.0.1:8080", LEGACY) as files, pytest.raises(ValueError, match="is not kept by"):
        files.read(address)

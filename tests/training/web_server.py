"""A web server on this machine, with the faults of real ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass
class WebServer:
    """Files and faults of a web server, and the requests that it received.

    Attributes:
        files: path -> content.
        breaks: for each of the next responses, the bytes sent before the connection closes.
        falls_silent: whether it keeps the connection open at these breaks instead.
        knows_ranges: whether it supports range requests.
        tells_length: whether it sends ``Content-Length``.
        stalls: whether it never responds.
        requests: path and ``Range`` of each request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    falls_silent: bool = False
    knows_ranges: bool = True
    tells_length: bool = True
    stalls: bool = False
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def ranges(self) -> list[str | None]:
        return [asked for _, asked in self.requests]


@contextmanager
def web_server() -> Iterator[WebServer]:
    server, end = WebServer(), Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers["Range"]
            server.requests.append((self.path, asked))
            if server.stalls:
                end.wait()
                return
            if self.path not in server.files:
                self.send_error(404)
                return
            content = server.files[self.path]
            offset = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.knows_ranges else 0
            if offset and offset >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if offset else 200)
            if server.tells_length:
                self.send_header("Content-Length", str(len(content) - offset))
            self.end_headers()
            breaks = bool(server.breaks)
            length = server.breaks.pop(0) if breaks else len(content)
            self.wfile.write(content[offset : offset + length])
            if breaks and server.falls_silent:
                end.wait()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            end.set()
            http.shutdown()
            thread.join()

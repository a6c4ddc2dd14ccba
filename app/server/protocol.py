"""HTTP connections with limits on their number, on times and sizes, and on pipelined requests."""

import asyncio
import fcntl
import logging
import sys
import termios
import uuid
from contextlib import suppress
from typing import Any, cast

import httptools
from fastapi import FastAPI
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.api.errors import ProblemResponse
from app.api.state import state_of
from app.observability.logs import FIELDS
from app.problems import (
    HEADER_TIMEOUT,
    REQUEST_HEADER_FIELDS_TOO_LARGE,
    REQUEST_MALFORMED,
    TOO_MANY_CONNECTIONS,
    ProblemError,
)
from app.server.open_files import allowed_connections

_logger = logging.getLogger("app")

MAX_HEADER_BYTES = 1 << 16
MAX_HEADERS = 256
MAX_AHEAD = 64
"""Maximum number of pipelined requests per connection: those sent before the previous responses."""

_REFUSED_AT_ONCE = 64
"""Number of connections above the limit that get a problem document; more are closed without one."""

_PROGRESS_BYTES = 1 << 14
"""Bytes that a client must read within the send timeout; fewer would hold the response's memory for hours."""

_LINGER_S = 2.0
"""Seconds that a refused client has to read why: if the connection closed while it sends, it might never see it."""

_UPGRADE_HEADERS = (b"connection", b"upgrade", b"http2-settings")


class HttpProtocol(HttpToolsProtocol):
    """A connection that closes gracefully when its client exceeds a limit.

    uvicorn and its parser limit neither the number of connections, nor the time and size of a request's header
    (including trailers etc.), nor the number of pipelined requests, nor the time for which a response stays unread. A
    client that exceeds a limit gets the outstanding responses, then a problem document, and is disconnected.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        state = state_of(cast("FastAPI", self.config.app))
        self._settings = state.settings
        self._metrics = state.metrics
        self._answering: RequestResponseCycle | None = None
        self._refusal: ProblemResponse | None = None
        self._in_header = self._in_body = False
        self._header_since: float | None = None
        self._has_parsed = False
        self._bytes_since_parsed = 0
        self._refused_since: float | None = None
        self._unread_bytes = 0
        self._unread_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._metrics.connections.inc()
        self._header_since = self.loop.time()
        most = allowed_connections(self._settings.max_connections)
        if len(self.connections) > most + _REFUSED_AT_ONCE:
            transport.abort()
        elif len(self.connections) > most:
            detail = f"{most} connections are open, the maximum; try again in 1 s"
            self._refuse(ProblemError(TOO_MANY_CONNECTIONS, detail, retry_after_s=1))

    def connection_lost(self, exc: Exception | None) -> None:
        self._metrics.connections.dec()
        # uvicorn notifies the request sent last, which need not be the one that is being answered.
        _disconnect(self._answering)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        self._has_parsed = False
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            # An exception raised by a callback is the context of the parser's exception.
            cause = error.__context__
            self._refuse(cause if isinstance(cause, ProblemError) else ProblemError(REQUEST_MALFORMED, str(error)))
            return
        self._bytes_since_parsed = 0 if self._has_parsed else self._bytes_since_parsed + len(data)
        if self._bytes_since_parsed > MAX_HEADER_BYTES:
            self._refuse(_too_large(self._bytes_since_parsed))

    def on_message_begin(self) -> None:
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self._in_header = self._has_parsed = True
        self._header_since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_header:  # the parser also reports trailers, which are ignored
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEADER_BYTES:
            raise _too_large(size)
        if len(self.headers) > MAX_HEADERS:
            raise ProblemError(
                REQUEST_HEADER_FIELDS_TOO_LARGE, f"there are {len(self.headers)} headers; {MAX_HEADERS} are allowed"
            )
        if len(self.pipeline) >= MAX_AHEAD:
            raise ProblemError(REQUEST_MALFORMED, f"more than {MAX_AHEAD} requests are pipelined")
        self._in_header = False
        self._has_parsed = True
        self._header_since = None
        if not self.parser.should_upgrade():
            self._unset_keepalive_if_required()
            self.url = _with_path(self.url)
            super().on_headers_complete()
            self._in_body = True

    def on_chunk_header(self) -> None:
        self._has_parsed = True

    def on_body(self, body: bytes) -> None:
        self._has_parsed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_answering:
            self._send_refusal()

    def enforce_time_limits(self) -> None:
        """Close the connection if its client takes too long to send a header or to read a response. Call this often."""
        now = self.loop.time()
        if self._refused_since is not None and now - self._refused_since > _LINGER_S:
            self.transport.close()
        if self._header_since is not None and now - self._header_since > self._settings.header_timeout_s:
            self._end_late_head()
        unread_bytes = self._count_unread()
        if unread_bytes == 0 or abs(unread_bytes - self._unread_bytes) >= _PROGRESS_BYTES:
            self._unread_bytes, self._unread_since = unread_bytes, now
        elif now - self._unread_since > self._settings.send_timeout_s:
            self._metrics.send_timeouts.inc()
            self.transport.abort()

    def _count_unread(self) -> int:
        """Unread bytes of responses; 0 if they are so few that all of them are in the system's send buffer."""
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes == 0:
            return 0
        # The system buffers megabytes per connection, and takes more only when the client has read a good part.
        queued_bytes = bytearray(4)
        with suppress(OSError):
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued_bytes)
        return unsent_bytes + int.from_bytes(queued_bytes, sys.byteorder)

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
            return
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        self._parse_without_upgrade(rest)  # outside the handler, whose exception would be its context

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Parse a request for a protocol upgrade, usually to h2c, again without the upgrade, which a server may ignore.

        The parser has skipped the body.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("CONNECT is for proxies")
        head = [method, b" ", self.url, b" HTTP/", self.parser.get_http_version().encode(), b"\r\n"]
        for name, value in self.headers:
            if name not in _UPGRADE_HEADERS:
                head += [name, b": ", value, b"\r\n"]
            elif name == b"connection" and b"close" in value.lower():
                head.append(b"connection: close\r\n")
        self.parser = httptools.HttpRequestParser(self)
        self._parse(b"".join([*head, b"\r\n", rest]))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _end_late_head(self) -> None:
        if self._refusal is not None or self._is_answering:
            return
        if self._in_header:
            detail = f"the request's header did not arrive within {self._settings.header_timeout_s:g} s"
            self._refuse(ProblemError(HEADER_TIMEOUT, detail))
        else:
            self.transport.close()

    def _refuse(self, error: ProblemError) -> None:
        """Read nothing more from the client; after the outstanding responses, send the problem and close."""
        request_id = uuid.uuid4().hex
        self._refusal = ProblemResponse.of(error, {"X-Request-ID": request_id, "Connection": "close"})
        self._metrics.refusals.labels(error.problem.slug).inc()
        _logger.info("connection refused", extra={FIELDS: {"id": request_id, "problem": error.problem.slug}})
        if self._in_body and self.cycle is self._answering:
            if self.cycle.response_started:  # before the body was complete
                self.transport.close()
            _disconnect(self.cycle)
            self._send_refusal()
            return
        if self._in_body:
            self._drop_last()
        if not self._is_answering:
            self._send_refusal()

    def _drop_last(self) -> None:
        """Drop the last pipelined request: its body will not be completed, and it has not been started."""
        assert self._answering is not None
        self.pipeline.popleft()
        self.cycle = self.pipeline[0][0] if self.pipeline else self._answering

    def _send_refusal(self) -> None:
        response = self._refusal
        if response is None or self._refused_since is not None or self.transport.is_closing():
            return
        self._refused_since = self.loop.time()
        lines = (b"%b: %b\r\n" % header for header in [*self.server_state.default_headers, *response.raw_headers])
        self.transport.write(b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", bytes(response.body)]))
        self.transport.write_eof()


def _with_path(target: bytes) -> bytes:
    """Add the path, which an absolute request target may omit.

    Raises:
        ProblemError: the target is invalid.
    """
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError as error:
        raise ProblemError(REQUEST_MALFORMED, "the request's target cannot be read") from error
    return target if url.path is not None else b"/" if url.query is None else b"/?" + url.query


def _too_large(size_bytes: int) -> ProblemError:
    return ProblemError(
        REQUEST_HEADER_FIELDS_TOO_LARGE, f"the header has {size_bytes} bytes or more; {MAX_HEADER_BYTES} are allowed"
    )


def _disconnect(cycle: RequestResponseCycle | None) -> None:
    """Tell the application that the client has disconnected."""
    if cycle is not None and not cycle.response_complete:
        cycle.disconnected = True
        cycle.message_event.set()

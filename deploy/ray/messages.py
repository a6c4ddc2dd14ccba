"""Messages between gateways and replicas."""

from dataclasses import dataclass
from typing import TypeAlias

from starlette.types import Scope

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A whole request.

    Attributes:
        method: HTTP method.
        path: decoded path, without the query.
        raw_path: path as received.
        query: the bytes after ``?``.
        headers: (lower-case name, value) of each header.
        client: address and port of the client; None if unknown.
        body: whole body.
    """

    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: Headers
    client: tuple[str, int] | None
    body: bytes

    @classmethod
    def of(cls, scope: Scope, body: bytes) -> "HttpRequest":
        """The request of an ASGI scope."""
        client = scope.get("client")
        return cls(
            method=scope["method"],
            path=scope["path"],
            raw_path=scope.get("raw_path") or scope["path"].encode(),
            query=scope["query_string"],
            headers=tuple((bytes(name), bytes(value)) for name, value in scope["headers"]),
            client=None if client is None else (client[0], client[1]),
            body=body,
        )

    def scope(self) -> Scope:
        """The ASGI scope of this request."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http",
            "method": self.method,
            "path": self.path,
            "raw_path": self.raw_path,
            "root_path": "",
            "query_string": self.query,
            "headers": list(self.headers),
            "client": self.client,
            "server": None,
            "state": {},
        }


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of a response.

    Attributes:
        status: HTTP status.
        headers: (lower-case name, value) of each header.
    """

    status: int
    headers: Headers

    def header(self, name: bytes) -> bytes | None:
        """Value of a header, by its lower-case name; None if there is none."""
        return dict(self.headers).get(name)


BEAT_S = 2.0
"""Seconds within which a replica sends a part of its response, or else a heartbeat."""

Parts: TypeAlias = list[Head | bytes]
"""Parts of a response available at one time, the head first; an empty list is a heartbeat."""

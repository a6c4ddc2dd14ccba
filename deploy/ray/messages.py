"""What gateways and replicas tell each other."""

from dataclasses import dataclass
from typing import TypeAlias

from starlette.types import Scope

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A whole request.

    Attributes:
        method: HTTP method.
        path: decoded, without the query.
        raw_path: as it came.
        query: the bytes after ``?``.
        headers: names in lower case, and values.
        client: address and port of who asks, as far as they are known.
        body: all of it.
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
    """What comes before an answer's body.

    Attributes:
        status: HTTP status.
        headers: names in lower case, and values.
    """

    status: int
    headers: Headers

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, by its name in lower case."""
        return dict(self.headers).get(name)


BEAT_S = 2.0
"""Seconds in which an answering replica says something, if only that it is there."""

Parts: TypeAlias = list[Head | bytes]
"""Parts of an answer that are there at one time. The head comes first; no parts mean that somebody has the request."""

"""The client's logic without I/O: generators that yield calls and pauses, and receive their outcomes.

The code that runs them, synchronously or with asyncio, needs to know nothing else about the service.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

import httpx2

from app.client.errors import ClientError, ServiceConnectionError, ServiceTimeoutError, UnexpectedResponseError
from app.client.timeouts import Deadline, Timeouts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the service.

    Attributes:
        method: HTTP method.
        path: path relative to the service's address.
        params: query parameters.
        content: the whole body, so that it can be sent again; None if there is none.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request to be sent once, now."""

    request: Request
    timeouts: Timeouts
    deadline: Deadline
    proxy: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments for the HTTP library's method ``stream``."""
        # The service recognises the format by the bytes, not by the Content-Type.
        headers = None if self.request.content is None else {"Content-Type": "application/octet-stream"}
        return {
            "method": self.request.method,
            "url": self.request.path,
            "params": self.request.params,
            "content": self.request.content,
            "headers": headers,
            "timeout": self._timeout,
        }

    @contextmanager
    def failures_named(self) -> Iterator[None]:
        """Convert the HTTP library's errors to our own."""
        try:
            yield
        except httpx2.ConnectTimeout as error:
            raise ServiceConnectionError(
                f"no connection within connect_s = {self.timeouts.connect_s:g} s{self._way}"
            ) from error
        except httpx2.TimeoutException as error:
            self.deadline.require()
            raise ServiceTimeoutError(self._overdue(error)) from error
        except httpx2.DecodingError as error:
            raise UnexpectedResponseError(f"the response cannot be decoded: {error}") from error
        except httpx2.RequestError as error:
            raise ServiceConnectionError(
                f"{self.request.method} {self.request.path}: {_words(error)}{self._way}"
            ) from error

    @property
    def _way(self) -> str:
        return "" if self.proxy is None else f" (through the proxy {self.proxy}, which the environment names)"

    @property
    def _timeout(self) -> httpx2.Timeout:
        bound = self.deadline.bound
        return httpx2.Timeout(
            connect=bound(self.timeouts.connect_s),
            write=bound(self.timeouts.write_s),
            read=bound(self.timeouts.read_s),
            pool=bound(self.timeouts.total_s),
        )

    def _overdue(self, error: httpx2.TimeoutException) -> str:
        match error:
            case httpx2.WriteTimeout():
                return f"the service accepted no part of the image within write_s = {self.timeouts.write_s:g} s"
            case httpx2.ReadTimeout():
                return f"no part of a response arrived within read_s = {self.timeouts.read_s:g} s"
        return "no connection became free"


@dataclass(frozen=True, slots=True)
class Response:
    """A response with its whole body."""

    status: int
    headers: httpx2.Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """A time to wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The end of the steps, with their result."""

    value: T


Step: TypeAlias = Call | Pause
Outcome: TypeAlias = Response | ClientError | None
"""A call's response or error; None after a pause and before the first step."""

Steps: TypeAlias = Generator[Step, Response | None, T]


def advance(steps: Steps[T], outcome: Outcome) -> Step | Done[T]:
    """Pass on the outcome of the last step, and return the next one."""
    try:
        return steps.throw(outcome) if isinstance(outcome, ClientError) else steps.send(outcome)
    except StopIteration as end:
        return Done(end.value)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__

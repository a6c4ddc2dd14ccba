"""Reads requests' bodies, each within the service's limits and all of them within a gateway's."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from app.problems import BODY_TOO_LARGE, QUEUE_FULL, UPLOAD_TIMEOUT, ProblemError
from app.uploads import UploadLimits, announced_bytes

_FORM_BYTES = 64 * 1024
"""That a form may have beside its image; the replica, which reads the form, knows how many it has."""

_DISCARD_S = 2.0
"""That a client may take to send what is not wanted: many read the answer only then."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds of bodies.

    Attributes:
        upload: of each.
        held_bytes: of all that a gateway holds at once.
    """

    upload: UploadLimits
    held_bytes: int


class Bodies:
    """The bodies that a gateway holds: it keeps each until it is answered, for another replica may have to read it."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._held_bytes = 0

    @contextmanager
    def room(self) -> Iterator["Body"]:
        """Room for one body, given back in the end."""
        body = Body(self)
        try:
            yield body
        finally:
            self._held_bytes -= body.held_bytes

    @property
    def upload(self) -> UploadLimits:
        """The bounds of each."""
        return self._limits.upload

    def hold(self, size: int) -> None:
        """Make room for so many bytes more.

        Raises:
            ProblemError: there is none.
        """
        if self._held_bytes + size > self._limits.held_bytes:
            detail = f"this gateway holds {self._held_bytes} bytes of images, and no more fit; try again in 1 s"
            raise ProblemError(QUEUE_FULL, detail, {"Retry-After": "1", "Connection": "close"})
        self._held_bytes += size


class Body:
    """One body and its room."""

    def __init__(self, bodies: Bodies) -> None:
        self.held_bytes = 0
        self._bodies = bodies

    async def read(self, request: Request) -> bytes:
        """All of a request's body.

        Raises:
            ProblemError: it is too large or too slow, or there is no room for it.
            ClientDisconnect: the client has gone.
        """
        limits = self._bodies.upload
        try:
            async with asyncio.timeout(limits.timeout_s):
                return await self._read(request, limits)
        except TimeoutError as error:
            detail = (
                f"the body did not arrive within {limits.timeout_s:g} s, its parts within {limits.idle_timeout_s:g}"
            )
            raise ProblemError(UPLOAD_TIMEOUT, detail, {"Connection": "close"}) from error

    async def _read(self, request: Request, limits: UploadLimits) -> bytes:
        most = limits.max_bytes + _FORM_BYTES
        parts: list[bytes] = []
        size, more = announced_bytes(request), True
        while more and size <= most:
            message = await asyncio.wait_for(request.receive(), limits.idle_timeout_s)
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part, more = message.get("body", b""), message.get("more_body", False)
            self._hold(len(part))
            parts.append(part)
            size = max(size, self.held_bytes)
        if size > most:
            if more:
                await _discard(request)
            detail = f"the image has more than the {limits.max_bytes} bytes allowed"
            raise ProblemError(BODY_TOO_LARGE, detail, {"Connection": "close"})
        return b"".join(parts)

    def _hold(self, size: int) -> None:
        self._bodies.hold(size)
        self.held_bytes += size


async def _discard(request: Request) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_S):
            while (await request.receive()).get("more_body", False):
                pass

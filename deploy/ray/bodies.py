"""Reads requests' bodies, each within the service's limits and all of them within a gateway's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request

from app.api.uploads import FORM_BYTES, UploadLimits, limited_body, upload_timeout
from app.problems import QUEUE_FULL, ProblemError


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds of bodies.

    Attributes:
        upload: bounds of each upload.
        held_bytes: bytes of all that a gateway holds at once.
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

    def reserve(self, size: int) -> None:
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
        async with upload_timeout(limits):
            # It may be a form; the replica, which reads it, knows how large the image in it is.
            return b"".join([part async for part in limited_body(request, limits, self._reserve, FORM_BYTES)])

    def _reserve(self, size: int) -> None:
        self._bodies.reserve(size)
        self.held_bytes += size

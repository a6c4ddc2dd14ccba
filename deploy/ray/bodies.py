"""Reading request bodies: each within the service's limits, all together within a gateway's limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request

from app.api.uploads import FORM_BYTES, UploadLimits, limited_body, upload_timeout
from app.problems import QUEUE_FULL, ProblemError


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Limits of request bodies.

    Attributes:
        upload: limits of each upload.
        held_bytes: greatest total size in bytes of the bodies that a gateway holds at once.
    """

    upload: UploadLimits
    held_bytes: int


class Bodies:
    """The bodies that a gateway holds: it keeps each until the response ends, since another replica may need it."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._held_bytes = 0

    @contextmanager
    def room(self) -> Iterator["Body"]:
        """Context of one body, whose bytes are released at the end."""
        body = Body(self)
        try:
            yield body
        finally:
            self._held_bytes -= body.held_bytes

    @property
    def upload(self) -> UploadLimits:
        """Limits of each upload."""
        return self._limits.upload

    def reserve(self, size: int) -> None:
        """Reserve ``size`` more bytes.

        Raises:
            ProblemError: they exceed the gateway's limit.
        """
        if self._held_bytes + size > self._limits.held_bytes:
            detail = f"this gateway holds {self._held_bytes} bytes of images, without room for more; try again in 1 s"
            raise ProblemError(QUEUE_FULL, detail, {"Retry-After": "1", "Connection": "close"})
        self._held_bytes += size


class Body:
    """One body and the bytes reserved for it."""

    def __init__(self, bodies: Bodies) -> None:
        self.held_bytes = 0
        self._bodies = bodies

    async def read(self, request: Request) -> bytes:
        """Read a whole request body.

        Raises:
            ProblemError: the body is too large or too slow, or the gateway holds too much.
            ClientDisconnect: the client has disconnected.
        """
        limits = self._bodies.upload
        async with upload_timeout(limits):
            # It may be a form, hence FORM_BYTES more; the replica parses it and checks the size of the image in it.
            return b"".join([part async for part in limited_body(request, limits, self._reserve, FORM_BYTES)])

    def _reserve(self, size: int) -> None:
        self._bodies.reserve(size)
        self.held_bytes += size

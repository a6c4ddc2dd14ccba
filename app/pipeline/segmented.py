"""A response to be sent, either complete or while it is still being computed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

from app.pipeline.request import EncodedResponse

_SLICE_BYTES = 1 << 16
"""Maximum bytes per chunk of a complete response: the rest is not copied before the client has read the chunk."""


class ResponseAborted(Exception):  # noqa: N818 (not reported as an error: the client has its status already)
    """The response ends early: computing the rest failed after its first chunks were sent."""


@dataclass(frozen=True, slots=True)
class Segmented:
    """A response, complete or streamed.

    Attributes:
        chunks: the body.
        complete: the whole response and its timings; None while it is still being computed.
    """

    chunks: AsyncIterator[bytes]
    complete: EncodedResponse | None

    @classmethod
    def of(cls, complete: EncodedResponse) -> Self:
        """Wrap a complete response."""
        return cls(_slices(complete.body), complete)


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _SLICE_BYTES):
        yield body[start : start + _SLICE_BYTES]

"""A response that can be sent, complete or while it is being made."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

from app.pipeline.request import EncodedResponse

_SLICE_BYTES = 1 << 16
"""Bytes of a complete response that are sent at a time: the rest is not copied before the client has read them."""


class ResponseAborted(Exception):  # noqa: N818 (no error to report: the client has its status already)
    """A response ends early: its first chunks were sent when computing the others failed."""


@dataclass(frozen=True, slots=True)
class Segmented:
    """A response.

    Attributes:
        chunks: its body.
        complete: all of it, and how it was made; None while it is still being made.
    """

    chunks: AsyncIterator[bytes]
    complete: EncodedResponse | None

    @classmethod
    def of(cls, complete: EncodedResponse) -> Self:
        """A response that is complete."""
        return cls(_slices(complete.body), complete)


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _SLICE_BYTES):
        yield body[start : start + _SLICE_BYTES]

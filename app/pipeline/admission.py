"""An admitted request: its slot, its memory and its work."""

import asyncio
from dataclasses import replace

from app.pipeline.cost import Cost
from app.pipeline.memory import Reservation
from app.pipeline.request import EncodedResponse, SegmentRequest


class Admission:
    """Holds a slot until the request's work has ended, even if the client disconnects earlier or reads on afterwards,
    and memory until both the work and the response have ended. Use it in the event loop's thread only.

    Attributes:
        body: memory for the request's body, and for a small image's response.
        image: memory for the image and everything computed from it.
        request: the request, once its body is read.
        work: the task that segments the image.
        cost: cost of the request, once the image's header is read.
        progress: share of the rows that are encoded, 0..1.
        response: the response, once it is complete.
    """

    def __init__(self, body: Reservation) -> None:
        self.body = body
        self.image: Reservation | None = None
        self.request: SegmentRequest | None = None
        self.work: asyncio.Task[EncodedResponse] | None = None
        self.cost: Cost | None = None
        self.progress = 0.0
        self.response: EncodedResponse | None = None
        self._is_working = True
        self._is_left = False

    @property
    def done_pixels(self) -> int:
        """Pixels of work that are finished."""
        return 0 if self.cost is None else int(self.cost.work_pixels * self.progress)

    @property
    def remaining_pixels(self) -> int:
        return 0 if self.cost is None else self.cost.work_pixels - self.done_pixels

    def cancel(self) -> None:
        """Stop the work after the current step or band; finished work is not affected."""
        if self.request is not None and self.work is not None and not self.work.done():
            self.request.cancelled.set()
            self.work.cancel()

    def end_work(self) -> None:
        """Record that the work has ended, and close the request."""
        self._is_working = False
        if self.request is not None:
            self.request.close()
        self._free()

    def leave(self) -> None:
        """Record that the response is no longer being read."""
        self._is_left = True
        self._free()

    def _free(self) -> None:
        if self._is_left and not self._is_working:
            self.body.close()
            if self.image is not None:
                self.image.close()
            # An exception's traceback refers to frames, and those to the request: only dropping the references here
            # frees the image at once.
            self.request = self.work = self.image = None
            if self.response is not None:
                # The connection keeps its references to a request until the next one.
                self.response = replace(self.response, body=b"")

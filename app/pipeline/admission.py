"""An admitted request: its slot, its memory and its work."""

import asyncio
from dataclasses import replace

from app.pipeline.cost import Cost
from app.pipeline.memory import Reservation
from app.pipeline.request import EncodedResponse, SegmentRequest


class Admission:
    """Holds a slot until the request's work has ended, whether its client has disconnected before or reads on after;
    and memory until both are over. Belongs to the event loop's thread.

    Attributes:
        body: memory of the request's body, and of a small image's response.
        image: memory of the image and all that is made of it.
        request: the request, once its body is read.
        work: the task that segments its image.
        cost: cost of the request, once its image's header is read.
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
        """Stop the work, after the step or band at hand; that which has ended already stays as it is."""
        if self.request is not None and self.work is not None and not self.work.done():
            self.request.cancelled.set()
            self.work.cancel()

    def end_work(self) -> None:
        """Nobody works on the request any more."""
        self._is_working = False
        if self.request is not None:
            self.request.close()
        self._free()

    def leave(self) -> None:
        """Nobody reads the response any more."""
        self._is_left = True
        self._free()

    def _free(self) -> None:
        if self._is_left and not self._is_working:
            self.body.close()
            if self.image is not None:
                self.image.close()
            # An exception knows the frames that it went through, and they the request: only what is forgotten here is
            # free at once, with the image.
            self.request = self.work = self.image = None
            if self.response is not None:
                # The connection keeps what it knows of a request until its next one.
                self.response = replace(self.response, body=b"")

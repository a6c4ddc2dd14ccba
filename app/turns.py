"""Turns on the device: one tile at a time, whoever asks first comes first."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that is granted in the order of asking.

    Requests take a turn for each tile, not for the whole image: a small image waits for one tile of a giant, and the
    giant goes on between small ones. Two predictions at the same time would only slow each other down.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tickets = 0
        self._served = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn; it ends with the block."""
        with self._changed:
            ticket = self._tickets
            self._tickets += 1
            self._changed.wait_for(lambda: self._served == ticket)
        try:
            yield
        finally:
            with self._changed:
                self._served += 1
                self._changed.notify_all()

"""Memory shared by requests: reserved before use, released after it."""

import asyncio
from collections import deque
from contextlib import suppress


class MemoryFullError(Exception):
    """The requested number of bytes is not free now."""


class MemoryBudget:
    """Bytes that all requests together may hold. Use it in the event loop's thread only.

    Args:
        limit_bytes: maximum that may be reserved at once.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.reserved_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def reserve(self, size_bytes: int) -> "Reservation":
        """Wait, first come first served, until ``size_bytes`` are free, and reserve them.

        Args:
            size_bytes: at most ``limit_bytes``.
        """
        assert size_bytes <= self.limit_bytes
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._change(-size_bytes)
            else:
                with suppress(ValueError):
                    self._waiting.remove((size_bytes, turn))
                self._let_in()
            raise
        return Reservation(self, size_bytes)

    def has_room(self, size_bytes: int) -> bool:
        """Whether ``size_bytes`` are free and no request is waiting for memory."""
        return not self._waiting and self.reserved_bytes + size_bytes <= self.limit_bytes

    def empty_reservation(self) -> "Reservation":
        """A reservation of zero bytes, to be grown later."""
        return Reservation(self, 0)

    def _change(self, by_bytes: int) -> None:
        self.reserved_bytes += by_bytes
        if by_bytes < 0:
            self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.reserved_bytes + self._waiting[0][0] <= self.limit_bytes:
            size_bytes, turn = self._waiting.popleft()
            if not turn.done():
                self.reserved_bytes += size_bytes
                turn.set_result(None)


class Reservation:
    """A part of a ``MemoryBudget``."""

    def __init__(self, memory: MemoryBudget, size_bytes: int) -> None:
        self._memory = memory
        self.size_bytes = size_bytes

    def grow(self, by_bytes: int) -> None:
        """Reserve more bytes without waiting.

        Raises:
            MemoryFullError: they are not free.
        """
        if self._memory.reserved_bytes + by_bytes > self._memory.limit_bytes:
            raise MemoryFullError
        self.resize(self.size_bytes + by_bytes)

    def resize(self, size_bytes: int) -> None:
        """Set the number of bytes in use, even beyond what is free; later reservations then wait."""
        difference, self.size_bytes = size_bytes - self.size_bytes, size_bytes
        self._memory._change(difference)

    def close(self) -> None:
        """Release all of it."""
        self.resize(0)

"""Memory that requests share: reserved before it is used, given back after."""

import asyncio
from collections import deque
from contextlib import suppress


class MemoryFullError(Exception):
    """So many bytes are not free now."""


class MemoryBudget:
    """Bytes that requests may hold together. Belongs to the event loop's thread.

    Args:
        limit_bytes: the most that may be reserved at once.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.reserved_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def reserve(self, size_bytes: int) -> "Reservation":
        """Wait until so many bytes are free, behind those who asked before, and take them.

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
        """Whether so many bytes are free, and nobody waits for them."""
        return not self._waiting and self.reserved_bytes + size_bytes <= self.limit_bytes

    def empty_reservation(self) -> "Reservation":
        """A reservation of nothing, to be grown."""
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
        """Take more, at once or not at all.

        Raises:
            MemoryFullError: it is not free.
        """
        if self._memory.reserved_bytes + by_bytes > self._memory.limit_bytes:
            raise MemoryFullError
        self.resize(self.size_bytes + by_bytes)

    def resize(self, size_bytes: int) -> None:
        """Say what is in use, even if it is more than was free: later ones wait for it then."""
        difference, self.size_bytes = size_bytes - self.size_bytes, size_bytes
        self._memory._change(difference)

    def close(self) -> None:
        """Give all of it back."""
        self.resize(0)

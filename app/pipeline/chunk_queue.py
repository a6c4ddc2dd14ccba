"""Chunks of a response, on their way from the thread that makes them to the response that sends them."""

import asyncio
from contextlib import suppress


class ChunkQueue:
    """Parts in their order. Made and emptied in the event loop's thread, filled from any."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(self, part: bytes) -> None:
        """Add a part."""
        with suppress(RuntimeError):  # the loop has ended, and with it the response
            self._loop.call_soon_threadsafe(self._put, part)

    def end(self) -> None:
        """There will be no more parts."""
        self._put(None)

    async def next(self) -> bytes | None:
        """The next part; None at the end."""
        return await self._parts.get()

    def _put(self, part: bytes | None) -> None:
        self._parts.put_nowait(part)
        self.started.set()

"""Waits for what must come true in time."""

import asyncio
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], timeout_s: float = 30, *, interval_s: float = 0.01) -> None:
    """Ask again and again, at most for ``timeout_s``."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"the condition was not met within {timeout_s:g} s"
        time.sleep(interval_s)


async def until(condition: Callable[[], bool], timeout_s: float = 30, *, interval_s: float = 0.02) -> None:
    """The same in an event loop."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(interval_s)

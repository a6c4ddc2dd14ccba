"""Waiting for conditions with a timeout."""

import asyncio
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], timeout_s: float = 30, *, interval_s: float = 0.01) -> None:
    """Poll a condition until it holds; fail after ``timeout_s``."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"the condition was not met within {timeout_s:g} s"
        time.sleep(interval_s)


async def until(condition: Callable[[], bool], timeout_s: float = 30, *, interval_s: float = 0.02) -> None:
    """Like ``wait_until``, in an event loop; raises ``TimeoutError``."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(interval_s)

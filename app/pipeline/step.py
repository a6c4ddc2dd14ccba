"""Awaiting the steps of a request's work, each of which runs in a thread of a pool."""

import asyncio
from concurrent.futures import Future
from typing import TypeVar

_Result = TypeVar("_Result")


async def finished(step: "Future[_Result]") -> _Result:
    """Wait for a step, and return its result.

    If the caller is cancelled, a step that has not started is cancelled, too. A running step is waited for: a thread
    cannot be stopped, and until it ends, it uses the machine and holds the image.
    """
    waiter = asyncio.wrap_future(step)
    try:
        await asyncio.wait([waiter])  # unlike `await waiter`, does not cancel the step
        return waiter.result()
    except asyncio.CancelledError:
        if not step.cancel():
            await asyncio.wait([waiter])
            _ = waiter.cancelled() or waiter.exception()  # or asyncio would log it
        raise
    finally:
        del step, waiter  # or an exception and this frame would refer to each other until collected

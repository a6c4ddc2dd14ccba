"""Steps of a request's work, each in a thread of a pool."""

import asyncio
from concurrent.futures import Future
from typing import TypeVar

_Result = TypeVar("_Result")


async def finished(step: "Future[_Result]") -> _Result:
    """The result of a step.

    When the caller is cancelled, a step that has not started is left out; one that has is waited for: a thread cannot
    be stopped, takes part of the machine while it works, and holds the image.
    """
    waiter = asyncio.wrap_future(step)
    try:
        await asyncio.wait([waiter])  # which leaves the step alone when it is cancelled
        return waiter.result()
    except asyncio.CancelledError:
        if not step.cancel():
            await asyncio.wait([waiter])
            _ = waiter.cancelled() or waiter.exception()  # nobody hears of it
        raise
    finally:
        del step, waiter  # or an exception would know this frame, and it the exception, until they are collected

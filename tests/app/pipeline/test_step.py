import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.pipeline.step import finished


async def _begun(event: threading.Event) -> None:
    async with asyncio.timeout(30):
        await asyncio.sleep(0)  # tasks begin
        while not event.is_set():
            await asyncio.sleep(0.001)


def test_a_cancelled_step_is_waited_for_if_it_has_begun_and_left_out_if_not() -> None:
    begun, may_end, ran = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert may_end.wait(30)

    async def ask() -> None:
        with ThreadPoolExecutor(1) as thread:
            one = asyncio.create_task(finished(thread.submit(work)))
            other = asyncio.create_task(finished(thread.submit(ran.set)))
            await _begun(begun)
            one.cancel()
            other.cancel()
            with pytest.raises(asyncio.CancelledError):
                await other
            assert not one.done()
            may_end.set()
            with pytest.raises(asyncio.CancelledError):
                await one

    asyncio.run(ask())
    assert not ran.is_set()


def test_a_cancelled_step_that_fails_is_not_complained_of(caplog: pytest.LogCaptureFixture) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert may_end.wait(30)
        raise ValueError

    async def ask() -> None:
        with ThreadPoolExecutor(1) as thread:
            task = asyncio.create_task(finished(thread.submit(work)))
            await _begun(begun)
            task.cancel()
            await asyncio.sleep(0)
            may_end.set()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(ask())
    assert not caplog.records

import asyncio

import pytest

from app.pipeline.memory import MemoryBudget, MemoryFullError, Reservation


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_reservations_wait_in_the_order_of_asking() -> None:
    async def check() -> None:
        memory = MemoryBudget(100)
        first = await memory.reserve(60)
        large = asyncio.create_task(memory.reserve(80))
        await _settle()
        small = asyncio.create_task(memory.reserve(10))
        await _settle()
        assert not large.done()
        assert not small.done(), "it would fit, but asked later: else the large one might wait for ever"
        first.close()
        await _settle()
        assert memory.reserved_bytes == 90
        assert large.done()
        assert small.done()

    asyncio.run(check())


def test_who_gives_up_waiting_holds_nothing_and_holds_up_nobody() -> None:
    async def check() -> None:
        memory = MemoryBudget(100)
        first = await memory.reserve(60)
        large = asyncio.create_task(memory.reserve(80))
        small = asyncio.create_task(memory.reserve(10))
        await _settle()
        large.cancel()
        await _settle()
        assert small.done()
        assert memory.reserved_bytes == 70
        # Admitted and cancelled in the same iteration of the event loop.
        late = asyncio.create_task(memory.reserve(90))
        await _settle()
        first.close()
        small.result().close()
        late.cancel()
        await _settle()
        assert late.cancelled()
        assert memory.reserved_bytes == 0

    asyncio.run(check())


def test_a_reservation_grows_while_there_is_room_and_can_say_that_it_is_larger() -> None:
    memory = MemoryBudget(100)
    one, other = Reservation(memory, 0), memory.empty_reservation()
    one.grow(70)
    with pytest.raises(MemoryFullError):
        other.grow(31)
    assert (one.size_bytes, other.size_bytes, memory.reserved_bytes) == (70, 0, 70)
    other.grow(30)
    one.resize(90)
    assert memory.reserved_bytes == 120
    one.resize(10)
    other.close()
    other.close()
    assert memory.reserved_bytes == 10

import asyncio
from pathlib import Path

import pytest

from benchmarks.arrivals import arrival_times
from benchmarks.fixed_server import serve
from benchmarks.traffic import NO_ANSWER, Exchange, Kind, Observation, Traffic, observe, run


@pytest.fixture
def kinds(tmp_path: Path) -> tuple[Kind, ...]:
    body = tmp_path / "body"
    body.write_bytes(b"x" * 10_000)
    return Kind("often", "/", str(body), 9), Kind("seldom", "/", str(body), 1)


def observe_fixed_server(kinds: tuple[Kind, ...], **settings: float) -> tuple[Observation, int]:
    """The outcome of a load, and how often the generator reported that everything had been sent."""

    async def both() -> Observation:
        async with await serve(0) as server:
            traffic = Traffic(server.sockets[0].getsockname()[1], kinds, **settings)  # type: ignore[arg-type]
            return await run(traffic, lambda: ready.append(1))

    ready: list[int] = []
    return asyncio.run(both()), len(ready)


def test_a_closed_loop_sends_all_kinds(kinds: tuple[Kind, ...]) -> None:
    seen, ready = observe_fixed_server(kinds, seconds=0.5, clients=4, fresh=0.5)
    assert ready == 1
    assert len(seen.accepted()) == len(seen.exchanges) > 10
    assert len(seen.of("often").exchanges) > len(seen.of("seldom").exchanges) > 0
    assert all(0 < each.head_ms <= each.whole_ms for each in seen.exchanges)
    assert 0 < seen.processors < 1.5
    assert seen.elapsed_s >= seen.seconds >= 0.5


def test_an_open_loop_sends_every_arrival(kinds: tuple[Kind, ...]) -> None:
    seen, _ = observe_fixed_server(kinds, seconds=30, rate=2000, max_requests=50)
    assert len(seen.accepted()) == 50
    assert all(each.late_ms >= 0 for each in seen.exchanges)
    assert seen.elapsed_s < 20


def test_a_server_that_is_not_there_gives_no_answer(kinds: tuple[Kind, ...]) -> None:
    async def nobody() -> Observation:
        async with await serve(0) as server:
            port = server.sockets[0].getsockname()[1]
        return await run(Traffic(port, kinds, seconds=0.2, clients=1))

    seen = asyncio.run(nobody())
    assert seen.statuses().startswith("none: ")
    assert {each.status for each in seen.others()} == {NO_ANSWER}


def test_a_process_of_its_own_gives_the_same(kinds: tuple[Kind, ...]) -> None:
    async def both() -> Observation:
        async with await serve(0) as server:
            traffic = Traffic(server.sockets[0].getsockname()[1], kinds, seconds=0.3, clients=2)
            return await asyncio.to_thread(observe, traffic)

    seen = asyncio.run(both())
    assert len(seen.accepted()) == len(seen.exchanges) > 0


def test_answers_are_told_apart_by_status() -> None:
    exchanges = tuple(Exchange("any", status, 0.0, 1.0, 2.0) for status in (200, 429, 503, 504, 500, NO_ANSWER))
    seen = Observation(exchanges, seconds=2.0, processor_s=1.0, elapsed_s=4.0)
    assert [each.status for each in seen.refused()] == [429, 503, 504]
    assert [each.status for each in seen.others()] == [500, NO_ANSWER]
    assert seen.throughput == 0.25
    assert seen.measurement.failures == 5
    assert seen.measurement.latencies_ms == (2.0,)
    assert seen.processors == 0.5
    assert seen.statuses() == "none: 1, 200: 1, 429: 1, 500: 1, 503: 1, 504: 1"


def test_a_closed_loop_sends_as_many_requests_as_it_may_and_ends_then(kinds: tuple[Kind, ...]) -> None:
    seen, _ = observe_fixed_server(kinds, seconds=30, clients=3, max_requests=20)
    assert len(seen.measurement.latencies_ms) == 20
    assert seen.measurement.failures == 0
    assert seen.elapsed_s < 20


def test_an_open_loop_counts_waiting_for_a_server_that_pauses(kinds: tuple[Kind, ...]) -> None:
    """The first request waits for the last one's arrival, which must show in its latency."""

    async def both() -> Observation:
        arrived = 0
        everybody = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal arrived
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(10_000)
            arrived += 1
            if arrived == 10:
                everybody.set()
            await everybody.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await run(Traffic(port, kinds, seconds=30, rate=100, max_requests=10))

    latencies_ms = asyncio.run(both()).measurement.latencies_ms
    assert len(latencies_ms) == 10
    times = arrival_times(rate=100, seconds=30, max_requests=10)
    assert max(latencies_ms) > (times[-1] - times[0]) * 1000 - 1

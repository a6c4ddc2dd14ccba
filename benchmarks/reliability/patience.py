"""Clients that do what they are told: who is refused comes again when ``Retry-After`` has passed, and not before."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.connection import Connection, Reply

_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of one client.

    Attributes:
        first_status: first status of the answer to the first request.
        done_s: seconds from the beginning until that answer was whole.
        retry_after_s: seconds that it was told to wait; 0 if it was accepted at once, or told nothing.
        second_status: second status of the answer after that; 0 if it did not ask again.
    """

    first_status: int
    done_s: float
    retry_after_s: float = 0.0
    second_status: int = 0


async def ask_at_once(port: int, request: bytes, clients: int) -> list[Asked]:
    """So many clients ask at the same moment."""
    return await asyncio.gather(*(_ask(port, request) for _ in range(clients)))


async def ask_in_turn(port: int, request: bytes, clients: int, seconds: float) -> list[Asked]:
    """So many clients ask again and again; those who were refused, after waiting."""

    async def client() -> list[Asked]:
        ends, asked = time.perf_counter() + seconds, []
        while time.perf_counter() < ends:
            asked.append(await _ask(port, request))
        return asked

    return [one for each in await asyncio.gather(*(client() for _ in range(clients))) for one in each]


def refused(asked: Sequence[Asked]) -> list[Asked]:
    """Those who were told to come again."""
    return [one for one in asked if one.retry_after_s]


def accepted_share(asked: Sequence[Asked]) -> float:
    """Share of those who came again that was accepted then; 1 if nobody came."""
    again = refused(asked)
    return sum(one.second_status == 200 for one in again) / len(again) if again else 1.0


async def _ask(port: int, request: bytes) -> Asked:
    started = time.perf_counter()
    reply = await _exchange(port, request)
    done_s = time.perf_counter() - started
    retry_after_s = float(reply.fields.get("retry-after", 0))
    if not retry_after_s:
        return Asked(reply.status, done_s)
    await asyncio.sleep(retry_after_s)
    return Asked(reply.status, done_s, retry_after_s, (await _exchange(port, request)).status)


async def _exchange(port: int, request: bytes) -> Reply:
    async with Connection(port) as connection, asyncio.timeout(_TIMEOUT_S):
        return await connection.exchange(request)

"""Patient clients: when refused, they retry once ``Retry-After`` has passed, and not before."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.connection import Connection, Reply

_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Outcome of one client.

    Attributes:
        first_status: status of the first response.
        done_s: seconds from the start until the first response was complete.
        retry_after_s: ``Retry-After`` of the first response; 0 if it had none.
        second_status: status of the second response; 0 if the client did not retry.
    """

    first_status: int
    done_s: float
    retry_after_s: float = 0.0
    second_status: int = 0


async def ask_at_once(port: int, request: bytes, clients: int) -> list[Asked]:
    """Let ``clients`` clients send a request at the same moment."""
    return await asyncio.gather(*(_ask(port, request) for _ in range(clients)))


async def ask_in_turn(port: int, request: bytes, clients: int, seconds: float) -> list[Asked]:
    """Let ``clients`` clients send requests repeatedly for some seconds, waiting after each refusal."""

    async def client() -> list[Asked]:
        ends, asked = time.perf_counter() + seconds, []
        while time.perf_counter() < ends:
            asked.append(await _ask(port, request))
        return asked

    return [one for each in await asyncio.gather(*(client() for _ in range(clients))) for one in each]


def refused(asked: Sequence[Asked]) -> list[Asked]:
    """Clients that were told to retry."""
    return [one for one in asked if one.retry_after_s]


def accepted_share(asked: Sequence[Asked]) -> float:
    """Share of retries that were accepted; 1 if there were none."""
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

"""SIGTERM under load: the service answers accepted requests, accepts no new ones, and exits with code 0.

    python -m benchmarks.reliability.termination [--repeats 50]

Eight clients send requests repeatedly, half of them on kept-alive connections. One sends an image of 4 megapixels,
whose mask is streamed while it is computed. The signal comes at a random moment. A request is lost if the operating
system had accepted it whole before the signal and it gets no response. The response may be 503 if the service had not
read the request yet.
"""

import asyncio
import random
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.connection import post
from benchmarks.findings import Finding, at_most, none_of
from benchmarks.photograph import photograph
from benchmarks.reliability.bodies import write_photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.request_log import LoggedRequest, LoggingClients
from benchmarks.service import OURS, RunningService, started
from benchmarks.traffic import NO_ANSWER

CLIENTS = 8
GRACE_S = 30.0
"""Default of ``FCN_DRAIN_TIMEOUT_S``, in seconds."""

_FOUR_MEGAPIXELS = (1_732, 2_309)
_HEED_S = 0.5
"""Seconds that the service has to react to the signal."""


@dataclass(frozen=True, slots=True)
class Termination:
    """Outcome of one signal.

    Attributes:
        events: requests from the clients' start to the service's end.
        signal_at: ``time.perf_counter`` when the signal was sent.
        exit_code: exit code of the service.
        exit_s: seconds from the signal to the service's end.
    """

    events: list[LoggedRequest]
    signal_at: float
    exit_code: int
    exit_s: float

    def before(self) -> list[LoggedRequest]:
        """Requests that had been sent whole, but not answered, at the time of the signal."""
        return [event for event in self.events if event.sent_at < self.signal_at < event.ended_at]

    def after(self) -> list[LoggedRequest]:
        """Requests that began after the service had time to react to the signal."""
        return [event for event in self.events if event.began_at > self.signal_at + _HEED_S]


def terminate(requests: Sequence[bytes], image: bytes, after_s: float) -> Termination:
    """Start a service, put it under load, and send SIGTERM after ``after_s`` seconds."""
    with started(OURS, sys.executable, image) as service:
        return asyncio.run(_terminate(service, requests, after_s))


async def _terminate(service: RunningService, requests: Sequence[bytes], after_s: float) -> Termination:
    async with LoggingClients(service.port, requests) as clients:
        await asyncio.sleep(after_s)
        signal_at = time.perf_counter()
        service.process.send_signal(signal.SIGTERM)
        exit_code = await asyncio.to_thread(service.process.wait, 2 * GRACE_S)
        exit_s = time.perf_counter() - signal_at
    return Termination(clients.events, signal_at, exit_code, exit_s)


def findings(terminations: Sequence[Termination]) -> list[Finding]:
    """Check the outcomes of all signals."""
    before = [event for each in terminations for event in each.before()]
    after = [event for each in terminations for event in each.after()]
    lost = [event.request for event in before if event.status not in (200, 503)]
    late = [event.request for event in after if event.status == 200]
    codes = [each.exit_code for each in terminations if each.exit_code]
    longest_s = max(each.exit_s for each in terminations)
    refused = sum(event.status == 503 for event in after)
    unanswered = sum(event.status == NO_ANSWER for event in after)
    return [
        Finding("signals, clients", f"{len(terminations)}, {CLIENTS}"),
        Finding("requests before the signal, not answered then", str(len(before))),
        Finding("of them answered 200, 503", ", ".join(str(_count(before, status)) for status in (200, 503))),
        none_of("of them lost", len(lost), lost),
        none_of(f"requests begun more than {_HEED_S} s after the signal and answered 200", len(late), late),
        Finding("of these answered 503; no connection, or closed", f"{refused}; {unanswered}"),
        none_of("exit codes other than 0", len(codes), codes),
        at_most("longest time until the service had ended", longest_s, GRACE_S, "{:.1f} s"),
    ]


def _count(events: Sequence[LoggedRequest], status: int) -> int:
    return sum(event.status == status for event in events)


def requests(folder: Path) -> list[bytes]:
    """The request of each client."""
    large = Path(write_photograph(folder, _FOUR_MEGAPIXELS)).read_bytes()
    return [post(OURS.path, body) for body in [large] + [photograph("cat")] * (CLIENTS - 1)]


def main() -> int:
    arguments = parser("termination", __doc__)
    arguments.add_argument("--repeats", type=int, default=50, help="number of terminations (50)")
    repeats = arguments.parse_args().repeats
    chance = random.Random(0)
    with TemporaryDirectory() as folder:
        sent = requests(Path(folder))
        each = [terminate(sent, photograph("cat"), chance.uniform(0.5, 3)) for _ in range(repeats)]
    return conclude(findings(each))


if __name__ == "__main__":
    sys.exit(main())

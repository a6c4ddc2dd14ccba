"""SIGHUP under load: new weights without a gap.

    python -m benchmarks.reliability.reload [--repeats 50]

Eight clients send requests while the weights file is replaced by another and back, with a signal each time. Both files
hold the same weights with different descriptions, so their digests differ and their masks must not. The last file is
truncated.
"""

import asyncio
import hashlib
import shutil
import signal
import sys
import time
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.connection import post
from benchmarks.findings import Finding, at_most, none_of
from benchmarks.photograph import NAMES, photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.request_log import LoggedRequest, LoggingClients
from benchmarks.service import OURS, RunningService, started
from benchmarks.waiting import until
from model.checkpoint import Checkpoint
from model.files import replacing
from model.segmenter import DEFAULT_WEIGHTS

CLIENTS = 8
RELOAD_S = 30.0
"""Seconds within which new weights must serve."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file.

    Attributes:
        path: path of the file.
        digest: SHA-256 of the file, in hexadecimal.
    """

    path: Path
    digest: str

    @classmethod
    def of(cls, path: Path) -> "Weights":
        return cls(path, hashlib.sha256(path.read_bytes()).hexdigest())


@dataclass(frozen=True, slots=True)
class Reloads:
    """Outcome of all signals.

    Attributes:
        events: all requests.
        taken_s: seconds from each signal to the first response of the new weights.
        old: requests that began after the new weights' first response, but were answered by the old weights.
        refused: whether the service refused the truncated file and went on with the weights it had.
    """

    events: list[LoggedRequest]
    taken_s: list[float]
    old: list[LoggedRequest]
    refused: bool


def two_weights(folder: Path) -> list[Weights]:
    """Write the shipped weights, and a copy with a different description."""
    shipped, other = folder / "shipped.safetensors", folder / "other.safetensors"
    shutil.copy(DEFAULT_WEIGHTS, shipped)
    checkpoint = Checkpoint.load(shipped)
    replace(checkpoint, summary=replace(checkpoint.summary, name="another")).save(other)
    return [Weights.of(shipped), Weights.of(other)]


def reload(folder: Path, repeats: int) -> Reloads:
    """Start a service and reload it ``repeats`` times under load."""
    weights, served = two_weights(folder), folder / "served.safetensors"
    shutil.copy(weights[0].path, served)
    requests = [post(OURS.path, photograph(name)) for name in NAMES] * (CLIENTS // len(NAMES))
    environment = OURS.with_environment(FCN_WEIGHTS=str(served))
    with started(environment, sys.executable, photograph("cat")) as service:
        return asyncio.run(_reload(service, weights, served, requests, repeats))


async def _reload(
    service: RunningService, weights: list[Weights], served: Path, requests: list[bytes], repeats: int
) -> Reloads:
    taken_s: list[float] = []
    old: list[LoggedRequest] = []
    async with LoggingClients(service.port, requests) as clients:
        events = clients.events
        await until(lambda: len(events) > CLIENTS, 2 * RELOAD_S)
        for number in range(1, repeats + 1):
            new = weights[number % 2]
            _put(new.path.read_bytes(), served)
            since, signal_at = len(events), time.perf_counter()
            service.process.send_signal(signal.SIGHUP)
            await until(lambda: any(event.digest == new.digest for event in events[since:]), 2 * RELOAD_S)  # noqa: B023
            first = next(event for event in events[since:] if event.digest == new.digest)
            taken_s.append(first.ended_at - signal_at)
            await until(lambda: sum(event.began_at > first.ended_at for event in events) >= CLIENTS, 2 * RELOAD_S)  # noqa: B023
            later = [event for event in events[since:] if event.began_at > first.ended_at]
            old += [event for event in later if event.digest != new.digest]
        _put(weights[0].path.read_bytes()[:-1000], served)
        service.process.send_signal(signal.SIGHUP)
        await until(lambda: "reload failed" in service.log(), 2 * RELOAD_S)
        since, serving = len(events), weights[repeats % 2].digest
        await until(lambda: len(events) >= since + 2 * CLIENTS, 2 * RELOAD_S)
        refused = all(event.digest == serving for event in events[since:])
    return Reloads(events, taken_s, old, refused)


def _put(data: bytes, served: Path) -> None:
    with replacing(served) as part:
        part.write_bytes(data)


def findings(reloads: Reloads, known: set[str]) -> list[Finding]:
    """Check the outcome of all signals; ``known`` are the digests of both weights."""
    failed = [event.status for event in reloads.events if event.status != 200]
    strange = [event.digest for event in reloads.events if event.status == 200 and event.digest not in known]
    masks = {(event.request % len(NAMES), _mask(event.body)) for event in reloads.events if event.status == 200}
    others = len(masks) - len({request for request, _ in masks})
    return [
        Finding("signals, clients, requests", f"{len(reloads.taken_s)}, {CLIENTS}, {len(reloads.events)}"),
        none_of("requests that failed", len(failed), failed),
        none_of("answers of other weights than these two", len(strange), strange),
        none_of("answers of the old weights after the new ones had answered", len(reloads.old)),
        none_of("masks of one photograph that differ", others),
        at_most("longest time until the new weights answered", max(reloads.taken_s), RELOAD_S, "{:.1f} s"),
        Finding(
            "a file that ends too early",
            "refused, the old weights serve" if reloads.refused else "not refused",
            "refused, the old weights serve",
            reloads.refused,
        ),
    ]


def _mask(png: bytes) -> bytes:
    return hashlib.sha256(np.asarray(Image.open(BytesIO(png))).tobytes()).digest()


def main() -> int:
    arguments = parser("reload", __doc__)
    arguments.add_argument("--repeats", type=int, default=50, help="number of signals (50)")
    with TemporaryDirectory() as folder:
        reloads = reload(Path(folder), arguments.parse_args().repeats)
        known = {weights.digest for weights in two_weights(Path(folder))}
    return conclude(findings(reloads, known))


if __name__ == "__main__":
    sys.exit(main())

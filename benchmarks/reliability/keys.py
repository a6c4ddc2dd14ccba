"""Whether the time of an API key check reveals anything about the keys.

    python -m benchmarks.reliability.keys [--samples 20000]

The file has a hundred keys. The benchmark tries the first and the last, and three unknown keys: one that begins like a
known key, one that differs only at its end, and one unlike any. It tries them in random order, with the check alone and
over HTTP, where the known keys lack the scope, so that the service does nothing but the check. Two keys can be told
apart if a sample of one is slower than a sample of the other noticeably more or less often than half the time.
"""

import asyncio
import random
import secrets
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app.api.auth.keys import Keys
from benchmarks.connection import Connection
from benchmarks.findings import Finding, at_most, none_of
from benchmarks.photograph import photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.service import OURS, started

KEYS = 100
MOST = 0.05
"""Greatest allowed distance of a share from one half."""

MOST_SPREAD = 0.01
"""Greatest allowed spread of the medians of all checks; it may show whether a key is known, as does the response."""

KNOWN = ("the first", "the last")
UNKNOWN = ("begins as the first", "ends otherwise", "like none")

Samples = Mapping[str, list[float]]
"""Name of a key -> times in microseconds."""


def write_keys(file: Path) -> dict[str, str]:
    """Write a file of keys with the scope ``segment``; return the keys to try, by name."""
    keys = [secrets.token_urlsafe(32) for _ in range(KEYS)]
    file.write_text("".join(f"client-{number} {sha256(key.encode()).hexdigest()}\n" for number, key in enumerate(keys)))
    first, other = keys[0], secrets.token_urlsafe(32)
    changed = first[:-1] + ("A" if first[-1] != "A" else "B")
    return dict(zip((*KNOWN, *UNKNOWN), (first, keys[-1], first[:20] + other[20:], changed, other), strict=True))


def check_times(file: Path, tried: Mapping[str, str], samples: int) -> Samples:
    """Time look-ups of each key."""
    keys = Keys(file)
    keys.reload()
    times: dict[str, list[float]] = {name: [] for name in tried}
    for name in _order(tried, samples):
        key = tried[name].encode().decode()  # a new string: its memory address changes the time by nanoseconds
        begun = time.perf_counter_ns()
        keys.find(key)
        times[name].append((time.perf_counter_ns() - begun) / 1e3)
    return times


def request_times(file: Path, tried: Mapping[str, str], samples: int) -> tuple[Samples, list[int]]:
    """Time requests that need a scope the keys lack; return the times and all wrong statuses."""
    service = OURS.with_environment(FCN_API_KEYS_FILE=str(file), FCN_PROTECT_METRICS="true")
    with started(replace(service, key=tried[KNOWN[0]]), sys.executable, photograph("cat")) as one:
        return asyncio.run(_request_times(one.port, tried, samples))


async def _request_times(port: int, tried: Mapping[str, str], samples: int) -> tuple[Samples, list[int]]:
    times: dict[str, list[float]] = {name: [] for name in tried}
    wrong = []
    async with Connection(port) as connection:
        for name in _order(tried, samples):
            request = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {tried[name]}\r\n\r\n".encode()
            begun = time.perf_counter_ns()
            reply = await connection.exchange(request)
            times[name].append((time.perf_counter_ns() - begun) / 1e3)
            if reply.status != (403 if name in KNOWN else 401):
                wrong.append(reply.status)
    return times, wrong


def slower_share(samples: Sequence[float], others: Sequence[float]) -> float:
    """Share of pairs in which the sample is greater than the other, ties counted as half; 0..1."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, samples, "left") + np.searchsorted(ordered, samples, "right")
    return float(below.mean() / 2 / len(ordered))


def findings(what: str, samples: Samples, groups: Sequence[Sequence[str]]) -> list[Finding]:
    """Compare each key with the first of its group.

    Args:
        what: what was measured.
        samples: times of each key.
        groups: groups of names of keys that must be indistinguishable.
    """
    rows = []
    for first, *others in groups:
        rows.append(Finding(f"{what}: {first}", f"median {statistics.median(samples[first]):.2f} µs"))
        for name in others:
            share = slower_share(samples[name], samples[first])
            told = f"median {statistics.median(samples[name]):.2f} µs, slower in {share:.1%}"
            must = f"slower in {0.5 - MOST:.0%} to {0.5 + MOST:.0%}"
            rows.append(Finding(f"{what}: {name}", told, must, abs(share - 0.5) <= MOST))
    return rows


def spread(samples: Samples) -> float:
    """Greatest median over the least, minus 1."""
    medians = [statistics.median(each) for each in samples.values()]
    return max(medians) / min(medians) - 1


def _order(names: Mapping[str, str], samples: int) -> list[str]:
    """Each name ``samples`` times in random order, so that changes of the machine favour no key."""
    order = list(names) * samples
    random.Random(0).shuffle(order)
    return order


def main() -> int:
    arguments = parser("keys", __doc__)
    arguments.add_argument("--samples", type=int, default=20_000, help="samples per key; a tenth over HTTP (20000)")
    samples = arguments.parse_args().samples
    with TemporaryDirectory() as folder:
        file = Path(folder) / "keys"
        tried = write_keys(file)
        checks = check_times(file, tried, samples)
        requests, wrong = request_times(file, tried, samples // 10)
    known = ", ".join(f"{name}: median {statistics.median(checks[name]):.2f} µs" for name in KNOWN)
    return conclude(
        [
            Finding("check: keys that are known", known),
            *findings("check", checks, [UNKNOWN]),
            at_most("check: greatest of all medians / least - 1", spread(checks), MOST_SPREAD, "{:.1%}"),
            *findings("over HTTP", requests, [KNOWN, UNKNOWN]),
            none_of("statuses other than 403 of known keys and 401 of the others", len(wrong), wrong),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())

"""Whether the time of a key check tells anything of the keys.

    python -m benchmarks.reliability.keys [--samples 20000]

Of a file of a hundred keys the first and the last, and keys that it does not know: one that begins as a known one does,
one that ends otherwise alone, and one that is like none. Asked in an order drawn by chance; of the check as such, and
over HTTP, where keys that are known lack the scope, so that only the check is done. Two keys can be told apart if a
sample of the one is slower than a sample of the other more or less often than every other time.
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
"""The farthest from a half that a share may be."""

MOST_SPREAD = 0.01
"""Greatest spread of the medians of all checks. Whether a key is known may show: the answer tells it anyway."""

KNOWN = ("the first", "the last")
UNKNOWN = ("begins as the first", "ends otherwise", "like none")

Samples = Mapping[str, list[float]]
"""Microseconds by the name of a key."""


def write_keys(file: Path) -> dict[str, str]:
    """Write a file of keys with the scope ``segment``; the keys to be tried, by name."""
    keys = [secrets.token_urlsafe(32) for _ in range(KEYS)]
    file.write_text("".join(f"client-{number} {sha256(key.encode()).hexdigest()}\n" for number, key in enumerate(keys)))
    first, other = keys[0], secrets.token_urlsafe(32)
    changed = first[:-1] + ("A" if first[-1] != "A" else "B")
    return dict(zip((*KNOWN, *UNKNOWN), (first, keys[-1], first[:20] + other[20:], changed, other), strict=True))


def check_times(file: Path, tried: Mapping[str, str], samples: int) -> Samples:
    """Microseconds that the look-up of a key takes."""
    keys = Keys(file)
    keys.reload()
    times: dict[str, list[float]] = {name: [] for name in tried}
    for name in _order(tried, samples):
        key = tried[name].encode().decode()  # anew: where a string lies in memory changes nanoseconds, too
        begun = time.perf_counter_ns()
        keys.find(key)
        times[name].append((time.perf_counter_ns() - begun) / 1e3)
    return times


def request_times(file: Path, tried: Mapping[str, str], samples: int) -> tuple[Samples, list[int]]:
    """The same of requests that need another scope than the keys have, and the statuses that are wrong."""
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
    """How often a sample is greater than one of the others, equal ones counted by half; 0..1."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, samples, "left") + np.searchsorted(ordered, samples, "right")
    return float(below.mean() / 2 / len(ordered))


def findings(what: str, samples: Samples, groups: Sequence[Sequence[str]]) -> list[Finding]:
    """Each key beside the first of its group.

    Args:
        what: was measured.
        samples: by name.
        groups: names of keys that must not be told apart.
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
    """How much greater the greatest median is than the least."""
    medians = [statistics.median(each) for each in samples.values()]
    return max(medians) / min(medians) - 1


def _order(names: Mapping[str, str], samples: int) -> list[str]:
    """Each name so often, in an order drawn by chance: what changes in the meantime favours nobody."""
    order = list(names) * samples
    random.Random(0).shuffle(order)
    return order


def main() -> int:
    arguments = parser("keys", __doc__)
    arguments.add_argument("--samples", type=int, default=20_000, help="of each key; over HTTP a tenth (20000)")
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

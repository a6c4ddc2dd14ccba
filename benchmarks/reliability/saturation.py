"""As many requests as the service can handle, for twenty minutes: whether its memory grows.

    python -m benchmarks.reliability.saturation [--seconds 1200]

Eight clients that each wait for their response send photographs of several sizes for several output formats, some
images of 4 megapixels and some damaged files. The first tenth of the time warms up; the median of the memory in the
second tenth is compared with that in the last one.
"""

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.findings import Finding, at_most, none_of
from benchmarks.photograph import photograph
from benchmarks.reliability.bodies import write_damaged, write_photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.resident import MemoryWatch, Sample
from benchmarks.service import OURS, started
from benchmarks.traffic import Kind, Observation, Traffic, observe

CLIENTS = 8
MOST_GROWTH = 0.05
TENTHS = 10

_SIZES = ((120, 160), (240, 320), (375, 500), (500, 375), (480, 640), (768, 1024), (1024, 1024))
_LARGE = (1_732, 2_309)
_ANSWERS = ("format=png", "format=json&mask=rows", "format=json&mask=rle", "format=overlay", "format=confidence")
_LARGE_WEIGHT = 0.5
_DAMAGED_WEIGHT = 1.0


def kinds(folder: Path, large_size: tuple[int, int]) -> tuple[Kind, ...]:
    """Requests for photographs of each size and for a larger image in each format, and for damaged files."""
    whole = [
        Kind(f"{width} x {height}, {answer}", f"/segment?{answer}", write_photograph(folder, (height, width)))
        for height, width in _SIZES
        for answer in _ANSWERS
    ]
    large = [
        Kind(f"large, {answer}", f"/segment?{answer}", write_photograph(folder, large_size), _LARGE_WEIGHT)
        for answer in _ANSWERS
    ]
    damaged = [Kind(f"damaged, {Path(path).stem}", OURS.path, path, _DAMAGED_WEIGHT) for path in write_damaged(folder)]
    return (*whole, *large, *damaged)


def saturate(folder: Path, seconds: float, large_size: tuple[int, int] = _LARGE) -> tuple[Observation, list[Sample]]:
    """Start the service and keep it busy; return the outcome of the requests and the memory samples.

    Args:
        folder: folder for the files to send.
        seconds: seconds of load.
        large_size: height and width of the images that are larger than photographs.
    """
    with (
        started(OURS, sys.executable, photograph("cat")) as service,
        MemoryWatch(service.process.pid, period_s=min(2.0, seconds / 100)) as memory,
    ):
        observation = observe(Traffic(service.port, kinds(folder, large_size), seconds, clients=CLIENTS, fresh=0.2))
    return observation, memory.samples


def median_of_tenth(samples: Sequence[Sample], tenth: int) -> float:
    """Median of resident bytes in one tenth of the time; tenths count from 0."""
    whole_s = samples[-1].at_s
    begin_s, end_s = tenth * whole_s / TENTHS, (tenth + 1) * whole_s / TENTHS
    return statistics.median(sample.resident_bytes for sample in samples if begin_s <= sample.at_s <= end_s)


def findings(observation: Observation, samples: Sequence[Sample]) -> list[Finding]:
    """Check for failed requests and for growth of the memory."""
    whole = [each for each in observation.exchanges if not each.kind.startswith("damaged")]
    damaged = [each for each in observation.exchanges if each.kind.startswith("damaged")]
    failed = [f"{each.kind}: {each.status} after {each.whole_ms / 1e3:.0f} s" for each in whole if each.status != 200]
    strange = [each.status for each in damaged if each.status not in (200, 400)]
    medians = [median_of_tenth(samples, tenth) for tenth in range(TENTHS)]
    series = ", ".join(f"{median / 1e6:.0f}" for median in medians)
    return [
        Finding("requests", f"{len(whole)} and {len(damaged)} damaged in {observation.elapsed_s:.0f} s"),
        none_of("requests that failed", len(failed), failed),
        none_of(
            "answers to damaged files other than 400 and, where enough is left of them, 200", len(strange), strange
        ),
        Finding("medians of resident memory, by tenths of the time", f"{series} MB"),
        at_most("growth from the second tenth to the last", medians[-1] / medians[1] - 1, MOST_GROWTH, "{:.1%}"),
    ]


def main() -> int:
    arguments = parser("saturation", __doc__)
    arguments.add_argument("--seconds", type=float, default=1200, help="seconds of load (1200)")
    seconds = arguments.parse_args().seconds
    with TemporaryDirectory() as folder:
        return conclude(findings(*saturate(Path(folder), seconds)))


if __name__ == "__main__":
    sys.exit(main())

"""The memory bound that the service logs at start-up, against clients that try to exceed it.

    python -m benchmarks.reliability.memory [--seconds 120]

The clients send images of 100 megapixels, ask for overlays and JSON of 25 megapixels, and send the largest images that
``tiling=whole`` takes, bodies of the greatest allowed size, and the largest images that count as photographs. Others
never read their responses, or never finish their uploads. All run at once and repeatedly, for each set of settings.
"""

import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.findings import Finding, at_most, none_of
from benchmarks.photograph import photograph
from benchmarks.reliability.bodies import write_photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.reliability.misbehaving_clients import Behaviour, Group, MisbehavingClients
from benchmarks.reliability.resident import MemoryWatch, promised_bytes, resident_bytes
from benchmarks.service import OURS, segment, started
from benchmarks.traffic import Generator, Kind, Observation, Traffic

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "defaults": {},
    "small": {
        "FCN_IMAGE_MEMORY_BYTES": "400000000",
        "FCN_BODY_MEMORY_BYTES": "50000000",
        "FCN_MAX_UPLOAD_BYTES": "10000000",
    },
}
CLIENTS = 24
RUDE_CLIENTS = 24

_HUNDRED_MEGAPIXELS = (8_660, 11_547)
_TWENTY_FIVE_MEGAPIXELS = (4_330, 5_773)
_LARGEST_WHOLE = (4_000, 4_000)
_SMALLER = (2_048, 2_048)
_LARGEST_PHOTOGRAPH = (1_024, 1_024)
_NOISE_SIDE = 3_300
"""Height and width in pixels of an incompressible PNG of nearly 32 MiB."""


def kinds(folder: Path, shrink: float = 1.0) -> list[Kind]:
    """Create requests that take much memory.

    Args:
        folder: folder for their bodies.
        shrink: factor on the sides of images larger than photographs; at 1, creating them takes some seconds.
    """

    def large(side: tuple[int, int]) -> str:
        return write_photograph(folder, (round(side[0] * shrink), round(side[1] * shrink)))

    giant, middle, whole, smaller = map(large, (_HUNDRED_MEGAPIXELS, _TWENTY_FIVE_MEGAPIXELS, _LARGEST_WHOLE, _SMALLER))
    largest_photograph = write_photograph(folder, _LARGEST_PHOTOGRAPH)
    noise, side = folder / "noise.png", round(_NOISE_SIDE * shrink)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)).save(noise, compress_level=1)
    return [
        Kind("100 MP", OURS.path, giant),
        Kind("overlay of 100 MP", "/segment?format=overlay", giant),
        Kind("overlay of 25 MP", "/segment?format=overlay", middle),
        Kind("rows of 25 MP", "/segment?format=json&mask=rows", middle),
        Kind("rle of 25 MP", "/segment?format=json&mask=rle", middle),
        Kind("whole, 16 MP", "/segment?tiling=whole", whole),
        Kind("whole, 4 MP", "/segment?tiling=whole", smaller),
        Kind("rle of noise", "/segment?format=json&mask=rle", str(noise)),
        Kind("overlay of the largest photograph", "/segment?format=overlay", largest_photograph, 2),
        Kind("rows of the largest photograph", "/segment?format=json&mask=rows", largest_photograph, 2),
    ]


def findings(name: str, settings: Mapping[str, str], chosen: list[Kind], seconds: float) -> list[Finding]:
    """Start the service with some settings and send all requests at once."""
    image = photograph("cat")
    upload, unread = chosen[0], chosen[-1]
    with started(OURS.with_environment(**settings), sys.executable, image) as service, ExitStack() as stack:
        promised = promised_bytes(service.log())
        memory = stack.enter_context(MemoryWatch(service.process.pid))
        at_first = resident_bytes(service.process.pid)
        for behaviour, kind in ((Behaviour.UNREAD, unread), (Behaviour.SLOW, upload)):
            group = Group(service.port, behaviour, RUDE_CLIENTS, seconds, kind.path, kind.body)
            stack.enter_context(MisbehavingClients(group)).wait_until_ready()
        traffic = Traffic(
            service.port, tuple(chosen), seconds, clients=CLIENTS, fresh=0.5, timeout_s=min(60, 2 * seconds)
        )
        observation = stack.enter_context(Generator(traffic)).observation()
        segment(OURS, service.port, image)
        is_running = service.process.poll() is None
    unexpected = [each.status for each in observation.exchanges if each.status in (500, 502)]
    return [
        at_most(f"{name}: resident memory, peak", memory.peak_bytes / 1e6, promised / 1e6, "{:.0f} MB"),
        Finding(f"{name}: at first", f"{at_first / 1e6:.0f} MB"),
        Finding(f"{name}: answers", observation.statuses()),
        Finding(f"{name}: answered 200", _told_kinds(observation)),
        none_of(f"{name}: answers of 500", len(unexpected)),
        Finding(f"{name}: the service afterwards", "serves" if is_running else "ended", "serves", is_running),
    ]


def _told_kinds(observation: Observation) -> str:
    counts = Counter(exchange.kind for exchange in observation.accepted())
    return ", ".join(f"{name}: {count}" for name, count in counts.most_common())


def main() -> int:
    arguments = parser("memory", __doc__)
    arguments.add_argument("--seconds", type=float, default=120, help="seconds per set of settings (120)")
    seconds = arguments.parse_args().seconds
    with TemporaryDirectory() as folder:
        chosen = kinds(Path(folder))
        rows = [row for name, settings in SETTINGS.items() for row in findings(name, settings, chosen, seconds)]
    return conclude(rows)


if __name__ == "__main__":
    sys.exit(main())

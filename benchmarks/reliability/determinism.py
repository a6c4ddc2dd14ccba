"""One image, one mask: whatever else is in work, and in whichever way it is predicted.

    python -m benchmarks.reliability.determinism [--repeats 5]

Some images, small and large, are sent one after another and by eight clients at once, cut in each exact way; to the
service in float32, else as it is by default, with one thread, and predicting photographs in batches. Every mask is
compared with the first one of its image.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.connection import Connection, post
from benchmarks.findings import Finding, none_of
from benchmarks.photograph import photograph
from benchmarks.reliability.bodies import write_photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.service import OURS, started

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "float32": {},
    "float32, one thread": {"FCN_THREADS": "1"},
    "float32, batches": {"FCN_BATCH_PIXELS": "2000000"},
}
TILINGS = ("auto", "whole", "exact")
CLIENTS = 8

IMAGES = (
    ("cat", (375, 500)),
    ("astronaut", (480, 640)),
    ("cat", (61, 97)),
    ("astronaut", (1024, 1024)),
    ("cat", (1732, 2309)),
)
"""Names, and sizes: height, width."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an image was predicted.

    Attributes:
        settings: settings of the service.
        is_loaded: whether other images were in work at the same time.
        tiling: tiling that was asked for.
    """

    settings: str
    is_loaded: bool
    tiling: str

    def __str__(self) -> str:
        return f"{self.settings}, {f'{CLIENTS} clients' if self.is_loaded else 'alone'}, {self.tiling}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer.

    Attributes:
        image: number of it.
        way: how it was predicted.
        mask: (height, width), uint8 class indices.
    """

    image: int
    way: Way
    mask: NDArray[np.uint8]


def predict(bodies: Sequence[bytes], settings: Mapping[str, Mapping[str, str]], repeats: int) -> list[Prediction]:
    """All images in all ways, each so many times."""
    predictions = []
    for name, variables in settings.items():
        with started(OURS.with_environment(**variables), sys.executable, photograph("cat")) as service:
            for is_loaded in (False, True):
                ways = [Way(name, is_loaded, tiling) for tiling in TILINGS]
                cases = [case for case in product(range(len(bodies)), ways) for _ in range(repeats)]
                predictions += asyncio.run(_ask(service.port, bodies, cases, CLIENTS if is_loaded else 1))
    return predictions


async def _ask(port: int, bodies: Sequence[bytes], cases: Sequence[tuple[int, Way]], clients: int) -> list[Prediction]:
    """So many clients share the cases."""
    left = iter(cases)

    async def client() -> list[Prediction]:
        predictions = []
        async with Connection(port) as connection:
            for image, way in left:
                reply = await connection.exchange(post(f"/segment?tiling={way.tiling}", bodies[image]))
                assert reply.status == 200, reply
                predictions.append(Prediction(image, way, np.asarray(Image.open(BytesIO(reply.body)))))
        return predictions

    return [one for each in await asyncio.gather(*(client() for _ in range(clients))) for one in each]


def findings(predictions: Sequence[Prediction]) -> list[Finding]:
    """Pixels that differ from those of the first prediction of the same image, by the service's settings."""
    first = {prediction.image: prediction.mask for prediction in reversed(predictions)}
    rows = []
    for settings in dict.fromkeys(prediction.way.settings for prediction in predictions):
        chosen = [prediction for prediction in predictions if prediction.way.settings == settings]
        others = [(each, int((each.mask != first[each.image]).sum())) for each in chosen]
        ways = [each.way for each, different in others if different]
        pixels = sum(prediction.mask.size for prediction in chosen)
        what = f"{settings}: pixels of {pixels} in {len(chosen)} masks that differ"
        rows.append(none_of(what, sum(different for _, different in others), ways))
    return rows


def main() -> int:
    arguments = parser("determinism", __doc__)
    arguments.add_argument("--repeats", type=int, default=5, help="of each image in each way (5)")
    repeats = arguments.parse_args().repeats
    with TemporaryDirectory() as folder:
        paths = [write_photograph(Path(folder), size, name) for name, size in IMAGES]
        predictions = predict([Path(path).read_bytes() for path in paths], SETTINGS, repeats)
    return conclude(findings(predictions))


if __name__ == "__main__":
    sys.exit(main())

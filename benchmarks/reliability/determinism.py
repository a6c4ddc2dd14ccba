"""One image, one mask: whatever other requests are in progress, and however the image is predicted.

    python -m benchmarks.reliability.determinism [--repeats 5]

Small and large images are sent one after another and by eight clients at once, with each tiling that is exact. The
service computes in float32: with its other settings at their defaults, with one thread, and with photographs in
batches. Every mask is compared with the first mask of its image.
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
"""(name of the photograph, (height, width)) of each image."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an image was predicted.

    Attributes:
        settings: name of the service's settings.
        is_loaded: whether other images were predicted at the same time.
        tiling: requested tiling.
    """

    settings: str
    is_loaded: bool
    tiling: str

    def __str__(self) -> str:
        return f"{self.settings}, {f'{CLIENTS} clients' if self.is_loaded else 'alone'}, {self.tiling}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One predicted mask.

    Attributes:
        image: index of the image.
        way: how it was predicted.
        mask: (height, width), uint8 class indices.
    """

    image: int
    way: Way
    mask: NDArray[np.uint8]


def predict(bodies: Sequence[bytes], settings: Mapping[str, Mapping[str, str]], repeats: int) -> list[Prediction]:
    """Predict every image in every way, ``repeats`` times each."""
    predictions = []
    for name, variables in settings.items():
        with started(OURS.with_environment(**variables), sys.executable, photograph("cat")) as service:
            for is_loaded in (False, True):
                ways = [Way(name, is_loaded, tiling) for tiling in TILINGS]
                cases = [case for case in product(range(len(bodies)), ways) for _ in range(repeats)]
                predictions += asyncio.run(_ask(service.port, bodies, cases, CLIENTS if is_loaded else 1))
    return predictions


async def _ask(port: int, bodies: Sequence[bytes], cases: Sequence[tuple[int, Way]], clients: int) -> list[Prediction]:
    """Let ``clients`` clients share the cases."""
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
    """Count pixels that differ from the first prediction of the same image, by the service's settings."""
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
    arguments.add_argument("--repeats", type=int, default=5, help="predictions of each image in each way (5)")
    repeats = arguments.parse_args().repeats
    with TemporaryDirectory() as folder:
        paths = [write_photograph(Path(folder), size, name) for name, size in IMAGES]
        predictions = predict([Path(path).read_bytes() for path in paths], SETTINGS, repeats)
    return conclude(findings(predictions))


if __name__ == "__main__":
    sys.exit(main())

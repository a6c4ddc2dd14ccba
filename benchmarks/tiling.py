"""Time and memory by image size: our network, and MONAI's sliding window.

    python -m benchmarks.tiling [--json FILE] [--threads N] [--precision PRECISION]

Each measurement runs in a process of its own, so that its memory peak is its own. The peak excludes the image, the mask
and what the process held before, measured after freed memory was returned to the operating system. Seconds are CPU
seconds of all threads: beside other programs they say more than the clock, above all with one thread. Predictions
repeat until they have taken two seconds; the median counts.

MONAI (``pip install monai``) runs the same network in windows of 1024 x 1024 that overlap by a quarter, as in its
documentation, and then takes the argmax of the logits.
"""

import argparse
import gc
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from app.heap import trim_heap
from benchmarks.findings import Finding, at_most, table
from model.checkpoint import Checkpoint
from model.precision import Precision
from model.segmenter import DEFAULT_WEIGHTS, Segmenter

PHOTOGRAPH = Path(__file__).parents[1] / "examples" / "cat.jpg"
MEGAPIXELS = (0.2, 0.5, 1, 2, 4, 10, 24, 50, 100)
COMPARED_MEGAPIXELS = 4
REPEATED_S = 2.0
PRECISIONS = tuple(precision for precision in Precision if precision is not Precision.AUTO)
SQUARE = 4096
CLEAR_REFS = Path("/proc/self/clear_refs")

Predict = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""(height, width, 3) uint8 RGB -> (height, width) uint8 class indices."""


@dataclass(frozen=True, slots=True)
class Result:
    """One prediction.

    Attributes:
        how: ``ours`` or ``monai``.
        height, width: size of the image in pixels.
        seconds: CPU seconds; the median of several predictions for small images.
        peak_mb: memory peak beyond the image, the mask and what the process held before, in MB (10^6 bytes).
    """

    how: str
    height: int
    width: int
    seconds: float
    peak_mb: float

    @property
    def seconds_per_megapixel(self) -> float:
        return self.seconds / (self.height * self.width / 1e6)


def enlarged_photograph(height: int, width: int) -> NDArray[np.uint8]:
    """The example photograph resized to (height, width, 3) uint8 RGB."""
    with Image.open(PHOTOGRAPH) as picture:
        return np.asarray(picture.convert("RGB").resize((width, height)))


def measure(how: str, height: int, width: int, threads: int, precision: Precision) -> Result:
    """Predict until two seconds have passed; return the median time and the memory peak. Needs a fresh process."""
    torch.set_num_threads(threads)
    predict = monai() if how == "monai" else ours(precision)
    image = enlarged_photograph(height, width)
    predict(image[:512, :512])  # warms up
    gc.collect()
    trim_heap()
    CLEAR_REFS.write_text("5")  # resets the peak
    before_mb = memory_mb("VmRSS")
    seconds: list[float] = []
    while sum(seconds) < REPEATED_S:
        started = time.process_time()
        shape = predict(image).shape  # keeps no mask, which would count beside the next one
        seconds.append(time.process_time() - started)
    assert shape == (height, width)
    return Result(how, height, width, median(seconds), memory_mb("VmHWM") - before_mb - height * width / 1e6)


def memory_mb(name: str) -> float:
    """Memory of this process in MB: ``VmRSS`` is resident now, ``VmHWM`` the peak."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6


def ours(precision: Precision) -> Predict:
    segmenter = Segmenter(Checkpoint.load(DEFAULT_WEIGHTS), "cpu", precision=precision)
    return lambda image: segmenter.segment(image).mask


def monai() -> Predict:
    from monai.inferers.utils import sliding_window_inference  # noqa: PLC0415 (optional)

    checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
    network = checkpoint.build().to(memory_format=torch.channels_last)

    def predict(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        images = checkpoint.preprocessing(torch.from_numpy(image.copy()).permute(2, 0, 1)[None])
        with torch.inference_mode():
            logits = sliding_window_inference(images, (1024, 1024), sw_batch_size=1, predictor=network, overlap=0.25)
            assert isinstance(logits, torch.Tensor)
            return logits.argmax(dim=1)[0].to(torch.uint8).numpy()

    return predict


def in_own_process(how: str, height: int, width: int, threads: int, precision: Precision) -> Result:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as process:
        return process.submit(measure, how, height, width, threads, precision).result()


def results_table(results: Sequence[Result]) -> str:
    lines = [
        "| how | image | seconds | seconds a megapixel | peak of memory, MB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for result in results:
        size = f"{result.width} x {result.height}, {result.width * result.height / 1e6:.1f} MP"
        cells = [
            result.how,
            size,
            f"{result.seconds:.2f}",
            f"{result.seconds_per_megapixel:.3f}",
            f"{result.peak_mb:.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def goals(results: Sequence[Result]) -> list[Finding]:
    """Compare results, given in the order of ``main``, with the goals."""
    by_size = results[: len(MEGAPIXELS)]
    paces = [result.seconds_per_megapixel for result in by_size]
    smallest, largest = MEGAPIXELS[0], MEGAPIXELS[-1]
    growth_mb = by_size[-1].peak_mb - by_size[MEGAPIXELS.index(COMPARED_MEGAPIXELS)].peak_mb
    found = [
        at_most(f"slowest megapixel / fastest, {smallest} to {largest} MP", max(paces) / min(paces), 1.1, "{:.2f}"),
        at_most(f"peak of {largest} MP above that of {COMPARED_MEGAPIXELS} MP", growth_mb, 64, "{:.0f} MB"),
    ]
    if results[-1].how == "monai":
        mine, theirs = results[-2:]
        size = f"{SQUARE} x {SQUARE}"
        found += [
            at_most(f"ours / MONAI's at {size}: time of processors", mine.seconds / theirs.seconds, 0.75, "{:.2f}"),
            at_most(f"ours / MONAI's at {size}: peak", mine.peak_mb / theirs.peak_mb, 0.2, "{:.2f}"),
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file for the results as JSON")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of the network")
    parser.add_argument(
        "--precision", type=Precision, choices=PRECISIONS, default=Precision.FLOAT32, help="precision of our network"
    )
    arguments = parser.parse_args()
    # 4:3, the aspect ratio of cameras.
    sizes = [(round((3e6 / 4 * megapixels) ** 0.5), round((4e6 / 3 * megapixels) ** 0.5)) for megapixels in MEGAPIXELS]
    cases = [("ours", *size) for size in sizes]
    if find_spec("monai") is not None:
        cases += [("ours", SQUARE, SQUARE), ("monai", SQUARE, SQUARE)]
    results = []
    for how, height, width in cases:
        results.append(in_own_process(how, height, width, arguments.threads, arguments.precision))
        print(results[-1], file=sys.stderr)
    print(f"{results_table(results)}\n\n{table(goals(results))}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")


if __name__ == "__main__":
    main()

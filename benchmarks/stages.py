"""Where the time of a request goes: each stage in process, and the cost of the tail relative to the body.

    python -m benchmarks.stages [FOLDER] [--threads N]

Measures the photographs of a folder (at most 40, each in its own size; default: those of ``examples/`` at 500 x 375).
Each number is the mean over the photographs of the median of several calls. Also times the PNG of a 16-megapixel mask.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from app.formats.format import Format
from app.formats.json import JsonDocument, MaskEncoding
from app.formats.mask import MaskPng
from app.formats.overlay import OverlayPng
from app.images.decode import decode_image
from benchmarks.machine import describe_machine
from benchmarks.photograph import NAMES, photograph
from model.segmentation import NO_TIME, Segmentation
from model.segmenter import Segmenter

MAX_PHOTOGRAPHS = 40
CALLS = 7
LARGE_MASK = (3464, 4619)


def photographs(folder: Path | None) -> Iterator[bytes]:
    if folder is None:
        yield from (photograph(name) for name in NAMES)
        return
    files = sorted(folder.glob("*.jpg"))
    yield from (file.read_bytes() for file in files[:: -(-len(files) // MAX_PHOTOGRAPHS)])


def stages(data: bytes, segmenter: Segmenter) -> tuple[dict[str, float], Segmentation]:
    """Return the milliseconds of each stage, and the segmentation."""
    image = decode(data)
    results = [segmenter.segment(image) for _ in range(CALLS)]
    result, timings = results[0], [each.timings for each in results]

    def encoding_ms(form: Format) -> float:
        return milliseconds(lambda: encode(form, image, result))

    return {
        "decode": milliseconds(lambda: decode(data)),
        "preprocess": 1e3 * statistics.median(each.preprocess_s for each in timings),
        "forward (body)": 1e3 * statistics.median(each.forward_s for each in timings),
        "upsample and argmax (tail)": 1e3 * statistics.median(each.upsample_s for each in timings),
        "encode: png": encoding_ms(MaskPng()),
        "encode: json, rows": encoding_ms(JsonDocument(MaskEncoding.ROWS)),
        "encode: json, rle": encoding_ms(JsonDocument(MaskEncoding.RLE)),
        "encode: overlay": encoding_ms(OverlayPng()),
    }, result


def decode(data: bytes) -> NDArray[np.uint8]:
    return decode_image(BytesIO(data))


def encode(form: Format, image: NDArray[np.uint8], result: Segmentation) -> bytes:
    """Encode a segmentation as a response body."""
    return form.encoder(image, result.labels, "digest").write(result)


def milliseconds(
    work: Callable[[], object], calls: int = CALLS, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Median milliseconds of several calls, by a clock that counts seconds."""
    times = []
    for _ in range(calls):
        started = clock()
        work()
        times.append(clock() - started)
    return 1e3 * statistics.median(times)


def enlarged(result: Segmentation) -> Segmentation:
    """The mask enlarged to 16 megapixels."""
    height, width = LARGE_MASK
    mask = Image.fromarray(result.mask).resize((width, height), Image.Resampling.NEAREST)
    return Segmentation(np.asarray(mask), result.labels, NO_TIME)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of JPEG files")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of the network")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    segmenter = Segmenter.load(device="cpu")
    measured = [stages(data, segmenter) for data in photographs(arguments.folder)]
    print(", ".join(f"{name}: {value}" for name, value in describe_machine().items()))
    print(f"\n{len(measured)} photographs, {torch.get_num_threads()} threads\n\n| stage | ms |\n| --- | --- |")
    means = {name: statistics.mean(times[name] for times, _ in measured) for name in measured[0][0]}
    for name, mean in means.items():
        print(f"| {name} | {mean:.2f} |")
    print(f"\nTail / body: {means['upsample and argmax (tail)'] / means['forward (body)']:.3f}.")
    large = enlarged(measured[0][1])
    image = np.zeros((*LARGE_MASK, 3), np.uint8)
    size = len(encode(MaskPng(), image, large))
    took = milliseconds(lambda: encode(MaskPng(), image, large))
    print(f"PNG of a mask of {large.width} x {large.height}: {took:.0f} ms, {size / 1e3:.0f} kB.")


if __name__ == "__main__":
    main()

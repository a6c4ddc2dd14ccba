"""The same network without a service around it: tensor in, class indices out.

    python -m benchmarks.in_process fastest cat.jpg 10

``fastest`` is the reference: our program in float32. ``naive`` is what tutorials write: PyTorch's default memory
format, a dense transposed convolution, argmax. Prints a ``Measurement`` as JSON. The time a service takes beyond it
goes to decoding, encoding, HTTP and waiting.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from benchmarks.measurement import Measurement
from model.checkpoint import Checkpoint
from model.networks.fcn import FCN, aligned
from model.segmenter import DEFAULT_WEIGHTS
from model.streaming import Program, fuse, run, trace_scores
from model.upsampling import bilinear_kernel
from model.upsampling.argmax import winning_classes

_THREADS = 2
_WARM_UP = 5


def load_fastest() -> Callable[[Tensor], Tensor]:
    """Return a function from a normalised image to the class of each pixel.

    It takes (1, 3, height, width), float32, channels_last, sides multiples of 32, and returns (height, width), uint8.
    """
    network = Checkpoint.load(DEFAULT_WEIGHTS).build()
    return partial(predict, fuse(trace_scores(network)), network.stride)


def load_naive() -> Callable[[Tensor], Tensor]:
    """Like ``load_fastest``, but channels_first, and the returned indices are int64."""
    checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
    network, num_classes = checkpoint.build(), len(checkpoint.labels)
    return partial(naive_classes, network, bilinear_kernel(num_classes, num_classes, 2 * network.stride))


@torch.no_grad()
def naive_classes(network: FCN, kernel: Tensor, images: Tensor) -> Tensor:
    """Predict classes as the book does: scores, transposed convolution, argmax.

    Args:
        network: network in evaluation mode.
        kernel: kernel of the transposed convolution, (K, K, 2 * stride, 2 * stride).
        images: (1, 3, height, width), float32, sides multiples of 32.

    Returns:
        Class indices, (height, width), int64.
    """
    stride = network.stride
    logits = functional.conv_transpose2d(network.scores(images), kernel, stride=stride, padding=stride // 2)
    return logits.argmax(dim=1)[0]


@torch.inference_mode()
def predict(program: Program, stride: int, images: Tensor) -> Tensor:
    """Run one forward pass on a whole image and return its classes; shapes as in ``load_fastest``."""
    return winning_classes(run(program, images), stride)[0]


def prepared(photograph: Path) -> Tensor:
    """Load a photograph as network input, padded with zeros at the right and the bottom.

    Returns:
        (1, 3, height, width) float32, channels_first, sides multiples of 32.
    """
    pixels = np.array(Image.open(photograph).convert("RGB"))
    height, width = pixels.shape[:2]
    preprocessing = Checkpoint.load(DEFAULT_WEIGHTS).preprocessing
    images = preprocessing(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    return functional.pad(images, (0, aligned(width) - width, 0, aligned(height) - height)).contiguous()


def measure(network: Callable[[Tensor], Tensor], images: Tensor, seconds: float) -> Measurement:
    """Call ``network`` repeatedly for ``seconds``, timing each call."""
    for _ in range(_WARM_UP):
        network(images)
    latencies_ms = []
    start = time.perf_counter()
    while (since := time.perf_counter()) - start < seconds:
        network(images)
        latencies_ms.append((time.perf_counter() - since) * 1000)
    return Measurement(tuple(latencies_ms), time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_process", description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("fastest", "naive"))
    parser.add_argument("photograph", type=Path)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    torch.set_num_threads(_THREADS)
    images = prepared(options.photograph)
    if options.kind == "fastest":
        network, images = load_fastest(), images.contiguous(memory_format=torch.channels_last)
    else:
        network = load_naive()
    print(json.dumps(asdict(measure(network, images, options.seconds))))


if __name__ == "__main__":
    main()

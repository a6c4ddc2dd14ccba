"""The reference: the fastest form of the same network without a service around it; tensor in, class indices out.

    python -m benchmarks.in_process cat.jpg 10

Prints a ``Measurement`` as JSON. What a service takes beyond it is decoding, encoding, HTTP and waiting.
"""

import json
import sys
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
from model.networks.fcn import aligned
from model.segmenter import DEFAULT_WEIGHTS
from model.streaming import Program, fuse, run, trace_scores
from model.upsampling.argmax import winning_classes

_THREADS = 2
_WARM_UP = 5


def load_network() -> Callable[[Tensor], Tensor]:
    """From a normalised image to its classes.

    Takes (1, 3, height, width), float32, channels_last, sides multiples of 32; gives (height, width), uint8.
    """
    torch.set_num_threads(_THREADS)
    network = Checkpoint.load(DEFAULT_WEIGHTS).build()
    return partial(predict, fuse(trace_scores(network)), network.stride)


@torch.inference_mode()
def predict(program: Program, stride: int, images: Tensor) -> Tensor:
    """One pass over a whole image; the shapes are ``load_network``'s."""
    return winning_classes(run(program, images), stride)[0]


def prepared(photograph: Path) -> Tensor:
    """A photograph as ``load_network`` reads it, padded with zeros at right and bottom."""
    pixels = np.array(Image.open(photograph).convert("RGB"))
    height, width = pixels.shape[:2]
    preprocessing = Checkpoint.load(DEFAULT_WEIGHTS).preprocessing
    images = preprocessing(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    padded = functional.pad(images, (0, aligned(width) - width, 0, aligned(height) - height))
    return padded.contiguous(memory_format=torch.channels_last)


def measure(network: Callable[[Tensor], Tensor], images: Tensor, seconds: float) -> Measurement:
    """Call it again and again; each call counts from its start to its end."""
    for _ in range(_WARM_UP):
        network(images)
    latencies_ms = []
    start = time.perf_counter()
    while (since := time.perf_counter()) - start < seconds:
        network(images)
        latencies_ms.append((time.perf_counter() - since) * 1000)
    return Measurement(tuple(latencies_ms), time.perf_counter() - start)


if __name__ == "__main__":
    print(json.dumps(asdict(measure(load_network(), prepared(Path(sys.argv[1])), float(sys.argv[2])))))

"""Throughput of a GPU: forward passes alone, whole predictions in process, and requests over HTTP. Needs no data.

    python -m benchmarks.gpu [--precision float32] [--clients 64] [--seconds 10]
    python -m benchmarks.gpu --first-hour [--file first-hour.md]     all experiments for a new GPU, in one table

``--device cpu`` runs small batches on a CPU, only to show that the benchmark works.
"""

import argparse
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from app.images.decode import decode_image
from benchmarks import first_hour
from benchmarks.machine import describe_machine
from benchmarks.photograph import photograph
from benchmarks.rate import rate
from benchmarks.service import OURS, running
from benchmarks.traffic import Kind, Traffic, measure
from model.checkpoint import Checkpoint
from model.device import choose_device
from model.precision import Precision
from model.segmenter import DEFAULT_WEIGHTS, Segmenter
from model.streaming import fuse, run, trace_scores

PHOTOGRAPH = "cat"
HEIGHT, WIDTH = 384, 512


def forward_rate(device: torch.device, dtype: torch.dtype, batch: int, seconds: float) -> float:
    """Forward passes per second times ``batch``, on normalised images that are already on the device."""
    program = fuse(trace_scores(Checkpoint.load(DEFAULT_WEIGHTS).build().to(device, dtype)))
    images = torch.randn(batch, 3, HEIGHT, WIDTH, device=device, dtype=dtype)
    images = images.contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def forward() -> None:
        run(program, images)

    return rate(forward, batch, seconds, device)


def prediction_rate(device: torch.device, precision: Precision, batch: int, seconds: float) -> float:
    """Images per second from pixels to masks, both in main memory."""
    segmenter = Segmenter(Checkpoint.load(DEFAULT_WEIGHTS), str(device), precision=precision)
    image = decode_image(BytesIO(photograph(PHOTOGRAPH)))
    images = [np.roll(image, shift, axis=1) for shift in range(batch)]
    return rate(lambda: segmenter.segment_together(images), batch, seconds, device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", type=Precision, default=Precision.BFLOAT16, choices=list(Precision))
    parser.add_argument("--clients", type=int, default=64, help="clients of the closed loop (64)")
    parser.add_argument("--seconds", type=float, default=10, help="seconds per measurement (10)")
    parser.add_argument("--first-hour", action="store_true", help="run all of benchmarks.first_hour instead")
    parser.add_argument("--file", type=Path, default=Path("first-hour.md"), help="file for the table of --first-hour")
    arguments = parser.parse_args()
    if arguments.first_hour:
        sys.exit(not first_hour.run(arguments.device, arguments.file))
    device = choose_device(arguments.device)
    batch = 42 if device.type == "cuda" else 2
    dtype = arguments.precision.dtype
    forward = forward_rate(device, dtype, batch, arguments.seconds)
    whole = prediction_rate(device, arguments.precision, batch, arguments.seconds)
    service = OURS.with_environment(
        FCN_DEVICE=arguments.device,
        FCN_PRECISION=arguments.precision,
        FCN_CONCURRENCY="16",
        FCN_QUEUE_LENGTH=str(arguments.clients),
    )
    image = photograph(PHOTOGRAPH)
    with TemporaryDirectory() as folder, running(service, sys.executable, image) as port:
        file = Path(folder) / "photograph.jpg"
        file.write_bytes(image)
        load = Traffic(port, (Kind(PHOTOGRAPH, service.path, str(file)),), arguments.seconds, arguments.clients)
        measure(load)  # warms up
        measured = measure(load)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(
        f"{name}, {arguments.precision}, " + ", ".join(f"{what}: {value}" for what, value in describe_machine().items())
    )
    print("\n| what | images/s | share of forward alone |\n| --- | --- | --- |")
    for what, images in (
        (f"forward alone, batches of {batch}", forward),
        (f"pixels to masks in process, batches of {batch}", whole),
        (f"over HTTP, {arguments.clients} clients", measured.throughput),
    ):
        print(f"| {what} | {images:.1f} | {images / forward:.2f} |")
    p50, p99 = measured.percentile(50), measured.percentile(99)
    print(f"\nOver HTTP: p50 {p50:.1f} ms, p99 {p99:.1f} ms, failures {measured.failures}.")


if __name__ == "__main__":
    main()

"""Experiments for the first hour with a GPU; each takes the device and a scale, and describes its result."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from benchmarks.photograph import NAMES, equal_share, photograph
from benchmarks.rate import rate
from benchmarks.reliability.resident import resident_bytes
from benchmarks.service import OURS, started
from benchmarks.traffic import Kind, Traffic, measure
from model.checkpoint import Checkpoint
from model.cuda_options import CudaOptions
from model.device import choose_device, is_out_of_memory
from model.errors import DeviceError
from model.precision import Precision
from model.segmenter import DEFAULT_WEIGHTS, Segmenter

_ROOT = Path(__file__).parents[1]

_SMALL_FRACTION = 0.02
"""Share of the device's memory that a process meant to run out of it may use."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Amount of work: an hour's worth on a GPU; on a CPU just enough to show that the experiments run.

    Attributes:
        photographs: photographs whose masks are compared.
        large_images: large images sent one after another.
        large_side: height and width of each large image in pixels.
        clients: concurrent clients.
        seconds: seconds of load.
        batch: images per batch.
        steps: training steps.
    """

    photographs: int
    large_images: int
    large_side: int
    clients: int
    seconds: float
    batch: int
    steps: int


FULL = Scale(photographs=30, large_images=200, large_side=4000, clients=64, seconds=20, batch=32, steps=200)
SMALL = Scale(photographs=2, large_images=2, large_side=1100, clients=2, seconds=0.5, batch=1, steps=1)

Experiment = Callable[[str, Scale], str]
"""(device name, scale) -> result, in words."""


def device(device: str, _: Scale) -> str:
    """Compare a convolution on the device with the same on the CPU."""
    chosen = choose_device(device)
    torch.manual_seed(0)
    x, weight = torch.randn(1, 64, 96, 128), torch.randn(64, 64, 3, 3)
    difference = functional.conv2d(x.to(chosen), weight.to(chosen)).cpu() - functional.conv2d(x, weight)
    return f"{_name(device)}; greatest difference of a convolution {difference.abs().max():.2g}"


def golden(device: str, _: Scale) -> str:
    """Share of the golden image's pixels whose class differs, by precision."""
    checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
    golden = checkpoint.golden
    assert golden is not None
    shares = []
    for precision in _precisions(device):
        mask = Segmenter(checkpoint, device, precision=precision).segment(golden.image).mask
        shares.append(f"{precision} {1 - equal_share(mask, golden.mask):.4%}")
    return ", ".join(shares)


def masks(device: str, scale: Scale) -> str:
    """Share of pixels whose class differs from the CPU's in float32, over photographs, by precision."""
    checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
    images = list(_photographs(scale.photographs))
    expected = [Segmenter(checkpoint, "cpu").segment(image).mask for image in images]
    shares = []
    for precision in _precisions(device):
        segmenter = Segmenter(checkpoint, device, precision=precision)
        pairs = zip(images, expected, strict=True)
        differing = [1 - equal_share(segmenter.segment(image).mask, mask) for image, mask in pairs]
        shares.append(f"{precision} mean {np.mean(differing):.4%}, most {max(differing):.4%}")
    return "; ".join(shares)


def large_images(device: str, scale: Scale) -> str:
    """Resident memory of the service after one large image, and after many more."""
    service = OURS.with_environment(FCN_DEVICE=device)
    side = scale.large_side
    with _file(photograph("cat", side, side)) as file, started(service, sys.executable, photograph("cat")) as one:
        first = Traffic(one.port, (Kind("large", "/segment", file),), 600, clients=1, max_requests=1)
        assert not measure(first).failures
        before = resident_bytes(one.process.pid)
        rest = Traffic(one.port, first.kinds, 600, clients=1, max_requests=scale.large_images)
        failures = measure(rest).failures
        after = resident_bytes(one.process.pid)
    return f"{before / 1e6:.0f} MB, then {after / 1e6:.0f} MB; failures {failures}"


def load(device: str, scale: Scale) -> str:
    """Photographs per second over HTTP, and memory, by precision."""
    found = []
    for precision in _precisions(device):
        service = OURS.with_environment(
            FCN_DEVICE=device, FCN_PRECISION=precision, FCN_CONCURRENCY="16", FCN_QUEUE_LENGTH=str(scale.clients)
        )
        image = photograph("cat")
        with _file(image) as file, started(service, sys.executable, image) as one:
            at_rest = resident_bytes(one.process.pid)
            load = Traffic(one.port, (Kind("cat", "/segment", file),), scale.seconds, scale.clients)
            measure(load)  # warms up
            measured = measure(load)
            loaded = resident_bytes(one.process.pid)
        found.append(
            f"{precision} {measured.throughput:.1f}/s, p50 {measured.percentile(50):.0f} ms, "
            f"failures {measured.failures}, {at_rest / 1e6:.0f} MB at rest, {loaded / 1e6:.0f} MB after"
        )
    return "; ".join(found)


def out_of_memory(device: str, scale: Scale) -> str:
    """Check that running out of device memory is recognised, and that a smaller batch then works."""
    chosen = choose_device(device)
    if chosen.type != "cuda":
        return "left out: this is about a GPU's memory"
    segmenter = Segmenter(Checkpoint.load(DEFAULT_WEIGHTS), device)
    image = next(_photographs(1))
    torch.cuda.set_per_process_memory_fraction(_SMALL_FRACTION, chosen)
    batch, lacks = 32 * scale.batch, 0
    while True:
        try:
            segmenter.segment_together([image] * batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            lacks += 1
            batch //= 2
        else:
            return f"{lacks} times out of memory, then a batch of {batch} worked"


def failed_device(device: str, _: Scale) -> str:
    """Check that a device-side assert leads to a DeviceError; the next row shows that a new process works."""
    chosen = choose_device(device)
    if chosen.type != "cuda":
        return "left out: a CPU does not fail so"
    try:
        torch.zeros(4, device=chosen)[torch.tensor([9], device=chosen)].cpu()
    except RuntimeError as error:
        said = str(error).splitlines()[0]
    else:
        raise AssertionError("an index out of bounds raised no error")
    try:
        Segmenter(Checkpoint.load(DEFAULT_WEIGHTS), device)
    except DeviceError as error:
        return f"{said!r}, then {error}"
    raise AssertionError("the device still works after an assert")


def training(device: str, scale: Scale) -> str:
    """Train the recipe voc-gpu on copies of two photographs; report the time per step and the share spent waiting."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_data_set(folder / "data/voc2012")
        settings = {
            "run.steps": f"{scale.steps}",
            "run.device": device,
            "data.folder": f"{folder}/data",
            "start.checkpoint": f"{DEFAULT_WEIGHTS}",
        }
        if scale is SMALL:
            settings |= {"data.crop_size": "64", "data.workers": "0", "run.bfloat16": "false"}
        words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        command = [sys.executable, "-m", "training", "train", "voc-gpu", "--out", str(folder / "run"), *words]
        began = time.perf_counter()
        result = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
    if result.returncode:
        raise RuntimeError(result.stderr[-2000:])
    (ending,) = [line for line in result.stdout.splitlines() if line.startswith("finished at step")]
    return f"{seconds:.0f} s, start included; {ending}"


def options(device: str, scale: Scale) -> str:
    """Photographs per second from pixels to masks, and seconds per large image, for each set of CUDA options."""
    checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
    images = [next(_photographs(1))] * scale.batch
    large = np.zeros((scale.large_side, scale.large_side, 3), np.uint8)
    found = []
    # On a CPU the options change nothing.
    chosen = OPTIONS if choose_device(device).type == "cuda" else {"as it is": CudaOptions()}
    for name, options in chosen.items():
        segmenter = Segmenter(checkpoint, device, precision=_precisions(device)[-1], cuda_options=options)
        together = rate(partial(segmenter.segment_together, images), scale.batch, scale.seconds, segmenter.device)
        one = rate(partial(segmenter.segment, large), 1, scale.seconds, segmenter.device)
        found.append(f"{name} {together:.1f}/s, {1 / one:.2f} s")
    return "; ".join(found)


OPTIONS = {
    "as it is": CudaOptions(),
    "fused convolutions": CudaOptions(fused_convolutions=True),
    "bands of 4 times the pixels": CudaOptions(band_factor=4),
    "bands of 16 times the pixels": CudaOptions(band_factor=16),
    "pinned copies": CudaOptions(pinned_copies=True),
    "all": CudaOptions(fused_convolutions=True, band_factor=16, pinned_copies=True),
}
"""CUDA options to compare; those that are off by default stay off until this experiment shows that they pay."""


def _name(device: str) -> str:
    chosen = choose_device(device)
    if chosen.type != "cuda":
        return "CPU"
    properties = torch.cuda.get_device_properties(chosen)
    said = subprocess.run(
        ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    memory, capability = f"{properties.total_memory / 1e9:.0f} GB", f"{properties.major}.{properties.minor}"
    return f"{properties.name}, {memory}, compute capability {capability}, driver {said.stdout.strip()}"


def _precisions(device: str) -> list[Precision]:
    both = [Precision.FLOAT32, Precision.BFLOAT16]
    return both if choose_device(device).type == "cuda" else both[:1]


def _photographs(number: int) -> Iterator[NDArray[np.uint8]]:
    """Yield different images, (375, 500, 3) uint8 RGB: crops of two photographs, enlarged further each time."""
    for index in range(number):
        with Image.open(BytesIO(photograph(NAMES[index % 2], 375 + 8 * index, 500 + 8 * index))) as picture:
            yield np.array(picture)[-375:, -500:]


@contextmanager
def _file(data: bytes) -> Iterator[str]:
    """Path of a temporary file with these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.jpg"
        path.write_bytes(data)
        yield str(path)


def _write_data_set(root: Path) -> None:
    for name in ("JPEGImages", "SegmentationClassAug", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    names = [f"{index:03}" for index in range(64)]
    for index, name in enumerate(names):
        (root / f"JPEGImages/{name}.jpg").write_bytes(photograph(NAMES[index % 2]))
        mask = np.full((375, 500), 8 if index % 2 == 0 else 15, np.uint8)
        mask[:, : 4 * index] = 0
        Image.fromarray(mask).save(root / f"SegmentationClassAug/{name}.png")
    for split in ("trainaug", "val"):
        (root / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(names) + "\n")

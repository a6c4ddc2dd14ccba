"""Compare engines that run the network's body on this CPU: their speed, and how close their scores are.

    python -m benchmarks.engines DATA [--sizes HEIGHTxWIDTH ...]

DATA holds the list ``extra``, which scores our weights. The first engine is the reference. Engines whose packages are
missing are left out; ``pip install ncnn nncf openvino`` installs those that nothing else here needs.
"""

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.engines import compiled, eager, ncnn, onnx_runtime, open_vino, ours
from benchmarks.engines.agreement import agreement
from benchmarks.engines.candidate import Body, Engine, UnavailableError
from benchmarks.engines.report import Finding, goals, sides, table
from benchmarks.engines.timing import interleaved
from benchmarks.machine import describe_machine
from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS
from training.data.dataset import VocDataset
from training.export.calibration import network_input

SIZES = ("320x480", "384x512", "1024x1024")
_FAMILIES = (eager, ours, compiled, onnx_runtime, open_vino, ncnn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder that holds the data set extra")
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="height x width, multiples of 32 (%(default)s)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of each engine")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (%(default)s)")
    parser.add_argument("--calls", type=int, default=3, help="timed calls per engine and round (%(default)s)")
    parser.add_argument("--photographs", type=int, default=20, help="photographs of extra/val, to compare scores")
    parser.add_argument("--calibration", type=int, default=100, help="photographs of extra/train, to calibrate int8")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    checkpoint = Checkpoint.load(DEFAULT_WEIGHTS)
    with torch.inference_mode():
        findings = _findings(checkpoint, options)
    print(f"{table(findings)}\n")
    print(goals(findings))
    machine = ", ".join(f"{name}: {value}" for name, value in describe_machine().items())
    print(f"\nScores are up to {findings[0].agreement.largest:.2f}. {options.threads} threads. {machine}.")


def _findings(checkpoint: Checkpoint, options: argparse.Namespace) -> list[Finding]:
    validation = VocDataset(options.data / "extra", "val", checkpoint.labels)
    body = _body(checkpoint, options)
    engines = _build(body)
    reference = next(iter(engines.values()))
    times = {size: interleaved(engines, sides(size), options.rounds, options.calls) for size in options.sizes}
    return [
        Finding(
            name,
            {size: taken[name] for size, taken in times.items()},
            agreement(
                engine, reference, validation, options.photographs, checkpoint.preprocessing, body.network.stride
            ),
        )
        for name, engine in engines.items()
    ]


def _body(checkpoint: Checkpoint, options: argparse.Namespace) -> Body:
    training = VocDataset(options.data / "extra", "train", checkpoint.labels)
    images = [
        network_input(training[index].image, checkpoint.preprocessing) for index in training.spread(options.calibration)
    ]
    network = checkpoint.build().to(memory_format=torch.channels_last)
    return Body(network, images, options.threads)


def _build(body: Body) -> dict[str, Engine]:
    engines: dict[str, Engine] = {}
    for candidate in (candidate for family in _FAMILIES for candidate in family.candidates()):
        try:
            engines[candidate.name] = candidate.build(body)
        except UnavailableError as error:
            print(f"left out: {candidate.name}: {error}", file=sys.stderr)
    return engines


if __name__ == "__main__":
    main()

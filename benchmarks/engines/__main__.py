"""Which engine runs the network's body fastest on this CPU, and whether its scores are equal.

    python -m benchmarks.engines DATA --json engines.json

DATA holds the lists that our weights are scored on, ``extra`` and ``voc2012``. The first engine is the reference.
Engines whose packages are missing are left out; ``pip install openvino nncf`` brings those that nothing else here
needs. Lossy engines are to be judged with ``--score``.
"""

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.deeplab import SEVEN
from benchmarks.engines import compiled, eager, onnx_runtime, open_vino, ours
from benchmarks.engines.agreement import agreement, confusion
from benchmarks.engines.candidate import Body, Candidate, Engine, UnavailableError
from benchmarks.engines.report import Finding, Report
from benchmarks.engines.timing import interleaved
from benchmarks.machine import describe_machine
from model.checkpoint import Checkpoint
from model.segmenter import DEFAULT_WEIGHTS
from training.data.dataset import VocDataset
from training.export.calibration import network_input

SIZES = ((320, 480), (384, 512), (1024, 1024))


def main() -> None:
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    checkpoint = Checkpoint.load(options.weights)
    with torch.inference_mode():
        report = _run(checkpoint, options)
    print(report.table())
    if options.json is not None:
        options.json.write_text(report.json())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="folder of the data sets extra and, for --score, voc2012")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="checkpoint to run")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of each engine")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of turns")
    parser.add_argument("--calls", type=int, default=3, help="calls counted in a turn")
    parser.add_argument("--photographs", type=int, default=20, help="of extra/val, to compare scores on")
    parser.add_argument("--calibration", type=int, default=100, help="of extra/train, for the ranges of integers")
    parser.add_argument(
        "--only", action="append", default=[], help="part of the names of engines to measure; repeatable"
    )
    parser.add_argument("--score", action="store_true", help="also score each engine on voc2012/val and extra/val")
    parser.add_argument("--json", type=Path, help="file to write the report to")
    return parser


def _run(checkpoint: Checkpoint, options: argparse.Namespace) -> Report:
    validation = VocDataset(options.data / "extra", "val", checkpoint.labels)
    candidates = _candidates(options.only)
    body = _body(checkpoint, options)
    engines, absent = _build(candidates, body)
    reference_name, reference = next(iter(engines.items()))
    times = {f"{h}x{w}": interleaved(engines, (h, w), options.rounds, options.calls) for h, w in SIZES}
    stride = body.network.stride
    findings = [
        Finding(
            candidate.name,
            candidate.lossy,
            {size: taken[candidate.name] for size, taken in times.items()},
            {size: taken[candidate.name] / taken[reference_name] for size, taken in times.items()},
            agreement(
                engines[candidate.name], reference, validation, options.photographs, checkpoint.preprocessing, stride
            ),
            _scores(engines[candidate.name], checkpoint, options.data, stride, candidate.name) if options.score else {},
        )
        for candidate in candidates
        if candidate.name in engines
    ]
    return Report(describe_machine(), options.threads, checkpoint.digest, findings, absent)


def _candidates(only: list[str]) -> list[Candidate]:
    families = (eager, ours, compiled, onnx_runtime, open_vino)
    reference, *others = [candidate for family in families for candidate in family.candidates()]
    return [reference, *(other for other in others if not only or any(part in other.name for part in only))]


def _body(checkpoint: Checkpoint, options: argparse.Namespace) -> Body:
    training = VocDataset(options.data / "extra", "train", checkpoint.labels)
    images = [
        network_input(training[index].image, checkpoint.preprocessing) for index in training.spread(options.calibration)
    ]
    network = checkpoint.build().to(memory_format=torch.channels_last)
    return Body(network, images, options.threads)


def _build(candidates: list[Candidate], body: Body) -> tuple[dict[str, Engine], dict[str, str]]:
    engines: dict[str, Engine] = {}
    absent: dict[str, str] = {}
    for candidate in candidates:
        print(f"building: {candidate.name}", file=sys.stderr)
        try:
            engines[candidate.name] = candidate.build(body)
        except UnavailableError as error:
            absent[candidate.name] = str(error)
    return engines, absent


def _scores(engine: Engine, checkpoint: Checkpoint, data: Path, stride: int, name: str) -> dict[str, float]:
    voc = VocDataset(data / "voc2012", "val", checkpoint.labels)
    extra = VocDataset(data / "extra", "val", checkpoint.labels)
    matrix = confusion(engine, voc, checkpoint.preprocessing, stride, name)
    extra_matrix = confusion(engine, extra, checkpoint.preprocessing, stride, name)
    present = extra_matrix.true_pixels.nonzero()[0].tolist()
    return {
        "mIoU-7": matrix.miou(SEVEN),
        "mIoU-extra": extra_matrix.miou(present),
        "extra pixel accuracy": extra_matrix.pixel_accuracy,
    }


if __name__ == "__main__":
    main()

"""The first hour with a GPU, in the order that finds most: python -m benchmarks.gpu --first-hour

Each experiment runs in a process of its own, so one that fails or leaves the device unusable does not affect others.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import gpu_experiments as experiments
from benchmarks.gpu_experiments import FULL, SMALL, Experiment
from benchmarks.machine import describe_machine
from model.device import choose_device

_ROOT = Path(__file__).parents[1]

_EXPERIMENT_S = 900
"""Timeout of an experiment in seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        experiment: function to run.
        goal: result to aim for, in words.
    """

    experiment: Experiment
    goal: str


ROWS = {
    "device": Row(experiments.device, "below 0.1: TF32 rounds factors to 10 bits"),
    "golden image": Row(experiments.golden, "float32 below 0.1%, bfloat16 below 1%"),
    "masks": Row(experiments.masks, "float32 below 0.1%, bfloat16 below 2% on the mean"),
    "large images in turn": Row(experiments.large_images, "at most 100 MB more"),
    "load": Row(experiments.load, "2,000/s on an H200, 300/s on an L4, no failures"),
    "options": Row(experiments.options, "what is 5% faster becomes the default; 3,300/s in process on an H200"),
    "out of memory": Row(experiments.out_of_memory, "known, and a smaller batch works"),
    "failed device": Row(experiments.failed_device, "DeviceError"),
    "a new process": Row(experiments.device, "works again"),
    "training": Row(experiments.training, "waits less than 10% of the time"),
}


def run(device: str, file: Path) -> bool:
    """Run all experiments, print and write the table, and return whether all succeeded."""
    scale = "full" if choose_device(device).type == "cuda" else "small"
    lines = [f"{what}: {value}" for what, value in describe_machine().items()]
    lines += ["", "| experiment | found | goal | s |", "| --- | --- | --- | --- |"]
    failed = []
    for name, row in ROWS.items():
        began = time.perf_counter()
        found, is_well = _run_apart(name, device, scale)
        failed += [] if is_well else [name]
        cell = found.strip().replace("\n", "<br>").replace("|", "\\|")
        lines.append(f"| {name} | {cell} | {row.goal} | {time.perf_counter() - began:.0f} |")
        print(lines[-1], flush=True)
        file.write_text("\n".join(lines) + "\n")
    print(f"written to {file}; failed: {', '.join(failed) or 'none'}")
    return not failed


def _run_apart(name: str, device: str, scale: str) -> tuple[str, bool]:
    """Run an experiment in a process of its own; return its result or error, and whether it succeeded."""
    command = [sys.executable, "-m", "benchmarks.first_hour", json.dumps([name, device, scale])]
    try:
        result = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=_EXPERIMENT_S)
    except subprocess.TimeoutExpired:
        return f"FAILED: not done in {_EXPERIMENT_S} s", False
    if result.returncode:
        return f"FAILED, exit code {result.returncode}: {result.stderr[-1000:]}", False
    return result.stdout.splitlines()[-1], True


if __name__ == "__main__":
    chosen_name, chosen_device, chosen_scale = json.loads(sys.argv[1])
    print(ROWS[chosen_name].experiment(chosen_device, FULL if chosen_scale == "full" else SMALL))

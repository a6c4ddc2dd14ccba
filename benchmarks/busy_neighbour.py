"""Prediction time of a photograph, alone and beside a busy program, by how long waiting threads spin.

    python -m benchmarks.busy_neighbour [--predictions 30]

The busy program has two threads that take turns computing. The network has one thread per core, so the cores are
oversubscribed. PyTorch computes with the threads of GNU OpenMP, where a waiting thread spins for 300,000 checks by
default.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.machine import describe_machine

SPIN_COUNTS = (300_000, 2_000, 0)

HANDED_OVER_S = 0.003
"""Seconds for which a thread of the busy program computes before the other one's turn."""


def predict(predictions: int) -> list[float]:
    """Time predictions of a 384 x 512 photograph in the fastest precision; return seconds in ascending order."""
    from model.fastest import load_fastest  # noqa: PLC0415 (the parent does without PyTorch)
    from model.segmenter import DEFAULT_WEIGHTS  # noqa: PLC0415

    segmenter, _ = load_fastest(DEFAULT_WEIGHTS, "cpu")
    golden = segmenter.checkpoint.golden
    assert golden is not None
    photograph = golden.image[:384, :512]
    segmenter.segment(photograph)
    seconds = []
    for _ in range(predictions):
        started = time.perf_counter()
        segmenter.segment(photograph)
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)


def in_own_process(spin_count: int, predictions: int) -> str:
    """Run ``predict`` in a process whose threads spin ``spin_count`` times; return its mean (90th percentile) in ms."""
    command = (sys.executable, "-m", "benchmarks.busy_neighbour", "--predictions", str(predictions), "--child")
    environment = {**os.environ, "GOMP_SPINCOUNT": str(spin_count)}
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    ms = [float(seconds) * 1e3 for seconds in output.split()]
    return f"{sum(ms) / len(ms):.0f} ({ms[len(ms) * 9 // 10]:.0f})"


@contextmanager
def busy_program() -> Iterator[None]:
    """A process that computes while the context is entered."""
    process = multiprocessing.get_context("spawn").Process(target=_compute, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _compute() -> None:
    first, second = threading.Semaphore(1), threading.Semaphore(0)
    threading.Thread(target=_compute_in_turn, args=(first, second), daemon=True).start()
    _compute_in_turn(second, first)


def _compute_in_turn(own: threading.Semaphore, other: threading.Semaphore) -> None:
    while True:
        own.acquire()
        end = time.perf_counter() + HANDED_OVER_S
        while time.perf_counter() < end:
            pass
        other.release()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=int, default=30)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(*predict(options.predictions))
        return
    print("Milliseconds per photograph: mean (90th percentile).\n")
    print("| checks before a thread sleeps | alone | beside a busy program |")
    print("| --- | ---: | ---: |")
    for spin_count in SPIN_COUNTS:
        alone = in_own_process(spin_count, options.predictions)
        with busy_program():
            beside = in_own_process(spin_count, options.predictions)
        print(f"| {spin_count} | {alone} | {beside} |", flush=True)
    print("\n" + ", ".join(f"{name}: {value}" for name, value in describe_machine().items()))


if __name__ == "__main__":
    main()

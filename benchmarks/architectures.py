"""Cost of serving each network: operations and milliseconds at the book's 320 x 480.

    python -m benchmarks.architectures [--threads N]

The weights are random, which changes neither. docs/log.md has the scores of each after equal training budgets.
"""

import argparse
import statistics
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.in_process import predict
from model.networks import FCN, Architecture, NetworkConfig, build_network
from model.streaming import fuse, trace_scores

HEIGHT, WIDTH = 320, 480
SERVED_BLOCKS = (2, 2, 2, 3)
ROUNDS = 5
CALLS = 10


def giga_operations(network: FCN) -> float:
    """Multiplications and additions in billions, counted as papers do: a multiply-add is two operations."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.scores(torch.zeros(1, 3, HEIGHT, WIDTH))
    return float(counter.get_total_flops()) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of the network")
    torch.set_num_threads(parser.parse_args().threads)
    images = torch.randn(1, 3, HEIGHT, WIDTH).contiguous(memory_format=torch.channels_last)
    networks = {
        architecture: build_network(NetworkConfig(architecture, blocks=SERVED_BLOCKS, learned_upsampling=False)).eval()
        for architecture in Architecture
    }
    programs = {architecture: fuse(trace_scores(network)) for architecture, network in networks.items()}
    times: dict[Architecture, list[float]] = {architecture: [] for architecture in networks}
    for _ in range(ROUNDS):  # interleaved, so that a machine that slows down favours no network
        for architecture, program in programs.items():
            predict(program, networks[architecture].stride, images)
            started = time.perf_counter()
            for _ in range(CALLS):
                predict(program, networks[architecture].stride, images)
            times[architecture].append((time.perf_counter() - started) / CALLS)
    print(f"| network | parameters | GFLOP at {HEIGHT} x {WIDTH} | ms on {torch.get_num_threads()} threads |")
    print("| --- | --- | --- | --- |")
    for architecture, network in networks.items():
        parameters = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        milliseconds = statistics.median(times[architecture]) * 1e3
        print(f"| {architecture} | {parameters:.1f} M | {giga_operations(network):.2f} | {milliseconds:.1f} |")


if __name__ == "__main__":
    main()

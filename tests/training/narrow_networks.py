"""``python -m tests.training.narrow_networks``: compare gradients of networks with few channels with those in float64.

A kernel that writes past its memory gives wrong gradients, crashes or hangs. Each must fail a test, but not the test
process.
"""

import torch
from torch import Tensor

from model.networks import FCN, Architecture, NetworkConfig, build_network
from training.fit.auxiliary import Scorer
from training.fit.memory_format import training_memory_format

WIDTHS = (1, 2, 3, 4, 7, 8, 12, 16)


def gradients(network: FCN, images: Tensor) -> dict[str, Tensor]:
    """Gradients of the weights, as the trainer computes them."""
    scorer = Scorer(network, None).eval()  # running statistics: batch norm would amplify rounding errors
    memory_format = training_memory_format(scorer, images.device)
    scorer.to(memory_format=memory_format)
    scorer.zero_grad()
    scores, _ = scorer(images.contiguous(memory_format=memory_format))
    scores.square().sum().backward()
    return {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}


def largest_error(width: int, architecture: Architecture) -> float:
    """Largest error of any weight's gradient, relative to the largest gradient of its layer."""
    torch.manual_seed(width)
    config = NetworkConfig(architecture, num_classes=5, width=width, learned_upsampling=False)
    network, exact = build_network(config), build_network(config).double()
    exact.load_state_dict(network.state_dict())
    images = torch.randn(8, 3, 128, 128)
    expected = gradients(exact, images.double())
    error = 0.0
    for _ in range(3):  # a write past the end often shows only in the next step
        for name, gradient in gradients(network, images).items():
            scale = float(expected[name].abs().max())
            error = max(error, float((gradient - expected[name]).abs().max()) / scale if scale else 0.0)
    return error


if __name__ == "__main__":
    torch.set_num_threads(1)
    for width in WIDTHS:
        for architecture in (Architecture.FCN32S, Architecture.FCN8S_CONTEXT):
            print(width, architecture.value, f"{largest_error(width, architecture):.1e}", flush=True)

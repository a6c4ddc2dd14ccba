"""How far a network looks: the pixels that a tile must have around those whose scores are wanted.

A score cell near a tile's inner border sees padding where the whole image would show it pixels, so it must be
discarded. How many cells those are follows from the network's convolutions and is measured on the network itself.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from model.errors import TilingError
from model.networks import NetworkConfig, build_network
from model.networks.fcn import ALIGNMENT, aligned


@dataclass(frozen=True, slots=True)
class Halo:
    """Pixels to discard at a tile's inner borders, multiples of 32.

    Attributes:
        before: at the top and at the left.
        after: at the bottom and at the right.
    """

    before: int
    after: int

    def require_room(self, tile_size: int) -> None:
        """Raises ``TilingError`` if tiles of this side have no core."""
        least = self.before + self.after + ALIGNMENT
        if tile_size < least:
            raise TilingError(f"tiles of {tile_size} pixels are too small for this network; take at least {least}")


def network_halo(config: NetworkConfig) -> Halo:
    """Measure the halo of a network.

    A network of the same geometry with one channel a layer reads a strip of pixels that is poisoned with NaN left
    (right) of its middle. NaN reaches exactly the cells that look across the middle, whatever the weights.
    """
    with torch.random.fork_rng(devices=[]):  # its weights matter to nobody, the caller's random numbers may
        probe = build_network(replace(config, num_classes=1, width=1)).double().eval()
    length = ALIGNMENT
    while True:
        length *= 2
        before, after = _poisoned_cells(probe, length)
        if max(before, after) * probe.stride < length // 2:
            return Halo(aligned(before * probe.stride), aligned(after * probe.stride))


@torch.inference_mode()
def _poisoned_cells(probe: torch.nn.Module, length: int) -> tuple[int, int]:
    """Cells that a border in the middle of a strip makes wrong: after it (seen from the left), and before it."""
    strip = torch.zeros(1, 3, ALIGNMENT, length, dtype=torch.float64)
    middle = length // 2
    poison = float("nan")
    from_left, from_right = strip.clone(), strip.clone()
    from_left[..., :middle] = poison
    from_right[..., middle:] = poison
    return _count_beyond(probe, from_left, left=True), _count_beyond(probe, from_right, left=False)


def _count_beyond(probe: torch.nn.Module, strip: Tensor, *, left: bool) -> int:
    poisoned = probe.scores(strip).isnan().any(dim=2)[0, 0]  # type: ignore[operator] # (cells of the strip,)
    first, second = poisoned.chunk(2)
    return int((second if left else first).sum())

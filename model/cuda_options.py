"""GPU optimisations that stay off until they have been measured on a GPU."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CudaOptions:
    """Options that `python -m benchmarks.gpu --first-hour` measures, each on and off. They have no effect on a CPU.

    Attributes:
        fused_convolutions: whether cuDNN computes a convolution and the following sum and ReLU in one kernel.
        band_factor: factor on the pixels of a band, and on the logits computed at once.
        pinned_copies: whether pixels are copied to the GPU and back through page-locked memory, with a single
            synchronisation.
    """

    fused_convolutions: bool = False
    band_factor: int = 1
    pinned_copies: bool = False

"""Ways to compute on a GPU that are off until one has been there to measure them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CudaOptions:
    """What `python -m benchmarks.gpu --first-hour` measures, each on and off. On a CPU they change nothing.

    Attributes:
        fused_convolutions: whether cuDNN computes a convolution, the sum and the ReLU after it in one kernel.
        band_factor: factor on the pixels of a band, and on the logits computed at once.
        pinned_copies: whether pixels go to the GPU and back through page-locked memory, with one wait for all.
    """

    fused_convolutions: bool = False
    band_factor: int = 1
    pinned_copies: bool = False

"""How much memory the service may take at most, as it follows from the settings."""

from dataclasses import dataclass

from app.images.limits import header_bytes
from app.pipeline.cost import WHOLE_BYTES
from app.settings import Settings
from model.device import max_cudnn_plans

_SMALL_IMAGES = 32
"""Largest small images that may be decoded at once."""

_SMALL_IMAGE_BYTES = 16
"""Bytes a pixel of a small image, decoding and response included."""

_BASE_BYTES = 1_100_000_000
"""Python, PyTorch and its libraries, the network, while it is replaced too, and what the allocator keeps."""

_CUDA_BYTES = 1_500_000_000
"""CUDA's context and libraries in host memory: an estimate, never measured."""

_CUDNN_PLAN_BYTES = 200 * 1024
"""Host memory of a convolution's plan (PyTorch, pull request 169153)."""

_CUDA_THREADS = 3
"""Threads that keep plans: photographs', large images' and reload's."""

_DECODER_BYTES = 40_000_000
"""Resident bytes of an idle decoder process."""


@dataclass(frozen=True, slots=True)
class MemoryBound:
    """Bytes of resident memory, at most.

    Attributes:
        base_bytes: the program and the network.
        decoder_bytes: decoders that are idle, or read a header.
        working_bytes: what the network computes.
        body_bytes: requests' bodies and unsent responses.
        small_bytes: small images.
        large_bytes: large images.
    """

    base_bytes: int
    decoder_bytes: int
    working_bytes: int
    body_bytes: int
    small_bytes: int
    large_bytes: int

    @classmethod
    def of(
        cls, settings: Settings, decoders: int, headers: int, batch_pixels: int, cores: int, *, is_cuda: bool
    ) -> "MemoryBound":
        """The bound that follows from the settings.

        Args:
            settings: settings of the service.
            decoders: number of decoder processes.
            headers: number of headers that are read at once.
            batch_pixels: pixels of small images predicted together; 0 if they are predicted side by side.
            cores: cores that they are predicted on, side by side.
            is_cuda: whether the network computes in a memory of its own.
        """
        at_once = 0 if is_cuda else batch_pixels or cores * settings.small_image_pixels
        largest_header_bytes = header_bytes(settings.max_upload_bytes)
        photographs = max(_SMALL_IMAGES * settings.small_image_pixels, 2 * batch_pixels)
        return cls(
            base_bytes=_BASE_BYTES + (_cuda_bytes() if is_cuda else 0),
            decoder_bytes=decoders * _DECODER_BYTES + headers * largest_header_bytes,
            working_bytes=WHOLE_BYTES * at_once,
            body_bytes=settings.body_memory_bytes,
            small_bytes=max(_SMALL_IMAGE_BYTES * photographs, 2 * largest_header_bytes),
            large_bytes=settings.image_memory_bytes,
        )

    @property
    def total_bytes(self) -> int:
        """Bodies count twice: their parts are joined, and answers take what they need even where it is not free."""
        images = self.small_bytes + self.large_bytes
        return self.base_bytes + self.decoder_bytes + self.working_bytes + 2 * self.body_bytes + images

    def __str__(self) -> str:
        parts = {
            "program and network": self.base_bytes + self.working_bytes,
            "decoders": self.decoder_bytes,
            "bodies": 2 * self.body_bytes,
            "small images": self.small_bytes,
            "large images": self.large_bytes,
        }
        said = ", ".join(f"{name} {size_bytes / 1e6:.0f}" for name, size_bytes in parts.items())
        return f"at most {self.total_bytes / 1e6:.0f} MB ({said})"


def _cuda_bytes() -> int:
    """Host memory that computing on a GPU takes."""
    return _CUDA_BYTES + _CUDA_THREADS * max_cudnn_plans() * _CUDNN_PLAN_BYTES

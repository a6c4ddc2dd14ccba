"""How much memory the service may take at most, as it follows from the settings."""

import logging
from dataclasses import dataclass, replace

from app.images.limits import header_bytes
from app.pipeline.cost import WHOLE_BYTES
from app.settings import Settings
from model.cgroups import memory_limit
from model.device import max_cudnn_plans
from model.errors import DeviceError
from model.tiling import TilingLimits

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
"""Threads that keep plans: those of small images, of large ones and of reload."""

_DECODER_BYTES = 40_000_000
"""Resident bytes of an idle decoder process."""

_LEAST_LARGE_BYTES = 1 << 27
"""Memory without which large images would not be worth admitting: that of one of 11 megapixels."""

_logger = logging.getLogger("app")


@dataclass(frozen=True, slots=True)
class MemoryBound:
    """Bytes of resident memory, at most.

    Attributes:
        base_bytes: the program and the network.
        decoder_bytes: decoders that are idle, or read a header.
        working_bytes: what the network computes: small images at once, and a band of a large one.
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
        """The bound that follows from the settings and from the memory limit of the process's control group.

        Args:
            settings: settings of the service.
            decoders: number of decoder processes.
            headers: number of headers that are read at once.
            batch_pixels: pixels of small images predicted together; 0 if they are predicted side by side.
            cores: cores that they are predicted on, side by side.
            is_cuda: whether the network computes in a memory of its own.

        Raises:
            DeviceError: the limit is too low for these settings.
        """
        at_once = 0 if is_cuda else batch_pixels or cores * settings.small_image_pixels
        band_pixels = 0 if is_cuda else TilingLimits(band_pixels=settings.band_pixels).max_band_pixels
        largest_header_bytes = header_bytes(settings.max_upload_bytes)
        small_pixels = max(_SMALL_IMAGES * settings.small_image_pixels, 2 * batch_pixels)
        bound = cls(
            base_bytes=_BASE_BYTES + (_cuda_bytes() if is_cuda else 0),
            decoder_bytes=decoders * _DECODER_BYTES + headers * largest_header_bytes,
            working_bytes=WHOLE_BYTES * (at_once + band_pixels),
            body_bytes=settings.body_memory_bytes,
            small_bytes=max(_SMALL_IMAGE_BYTES * small_pixels, 2 * largest_header_bytes),
            large_bytes=settings.image_memory_bytes,
        )
        limit_bytes = memory_limit()
        if limit_bytes is None or bound.total_bytes <= limit_bytes // settings.workers:
            return bound
        share_bytes = limit_bytes // settings.workers
        lower = bound.within(share_bytes, settings.max_upload_bytes)
        _logger.warning(
            "the memory limit of %.0f MB a worker is below the %.0f MB that the settings allow: "
            "FCN_IMAGE_MEMORY_BYTES is taken as %d, FCN_BODY_MEMORY_BYTES as %d",
            share_bytes / 1e6,
            bound.total_bytes / 1e6,
            lower.large_bytes,
            lower.body_bytes,
        )
        return lower

    @property
    def total_bytes(self) -> int:
        """Bodies count twice: their chunks are joined, and responses take what they need even where it is not free."""
        images = self.small_bytes + self.large_bytes
        return self.base_bytes + self.decoder_bytes + self.working_bytes + 2 * self.body_bytes + images

    def within(self, limit_bytes: int, max_upload_bytes: int) -> "MemoryBound":
        """The bound under a memory limit: large images get less together, then bodies.

        Args:
            limit_bytes: bytes that the process may take.
            max_upload_bytes: bytes of the largest body, of which two must still find room.

        Raises:
            DeviceError: the rest alone takes more.
        """
        least = replace(
            self,
            large_bytes=min(self.large_bytes, _LEAST_LARGE_BYTES),
            body_bytes=min(self.body_bytes, 2 * max_upload_bytes),
        )
        spare_bytes = limit_bytes - least.total_bytes
        if spare_bytes < 0:
            raise DeviceError(
                f"the memory limit is {limit_bytes / 1e6:.0f} MB a worker, and these settings take {least}: "
                "raise the limit, or lower FCN_CONCURRENCY, FCN_SMALL_IMAGE_PIXELS or FCN_MAX_UPLOAD_BYTES"
            )
        body_bytes = min(self.body_bytes, least.body_bytes + spare_bytes // 2)
        spare_bytes -= 2 * (body_bytes - least.body_bytes)
        return replace(self, body_bytes=body_bytes, large_bytes=min(self.large_bytes, least.large_bytes + spare_bytes))

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

"""Upper bound on the service's memory, derived from the settings."""

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
"""Number of small images of the maximum size that may be in memory at once."""

_SMALL_IMAGE_BYTES = 16
"""Bytes per pixel of a small image, decoding and response included."""

_BASE_BYTES = 1_100_000_000
"""Bytes of Python, PyTorch and its libraries, the network, also during a reload, and what the allocator keeps."""

_CUDA_BYTES = 1_500_000_000
"""Host memory of CUDA's context and libraries in bytes: an estimate, never measured."""

_CUDNN_PLAN_BYTES = 200 * 1024
"""Host memory of a convolution's plan in bytes (PyTorch, pull request 169153)."""

_CUDA_THREADS = 3
"""Number of threads that keep plans: for small images, for large images and for reloads."""

_DECODER_BYTES = 40_000_000
"""Resident bytes of an idle decoder process."""

_LEAST_LARGE_BYTES = 1 << 27
"""Minimum memory in bytes with which admitting large images is worthwhile: that of an 11-megapixel image."""

_logger = logging.getLogger("app")


@dataclass(frozen=True, slots=True)
class MemoryBound:
    """Upper bound on resident memory, in bytes.

    Attributes:
        base_bytes: the program and the network.
        decoder_bytes: decoders that are idle or read a header.
        working_bytes: activations of the small images predicted at once and of a large image's band.
        body_bytes: request bodies and unsent responses.
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
            headers: number of headers read at once.
            batch_pixels: pixels of small images predicted together; 0 if each is predicted on a core of its own.
            cores: number of those cores.
            is_cuda: whether the network computes in the memory of a GPU.

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
        """Bodies count twice: their chunks are joined, and responses take memory even if it is not free."""
        images = self.small_bytes + self.large_bytes
        return self.base_bytes + self.decoder_bytes + self.working_bytes + 2 * self.body_bytes + images

    def within(self, limit_bytes: int, max_upload_bytes: int) -> "MemoryBound":
        """Lower the bound to a memory limit: large images and bodies get less.

        Args:
            limit_bytes: bytes that the process may take.
            max_upload_bytes: bytes of the largest body; two such bodies must still fit.

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
    """Bytes of host memory that computing on a GPU needs."""
    return _CUDA_BYTES + _CUDA_THREADS * max_cudnn_plans() * _CUDNN_PLAN_BYTES

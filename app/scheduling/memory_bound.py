"""How much memory the service may take at most, as it follows from the settings."""

from dataclasses import dataclass

from app.scheduling.pricing import WHOLE_BYTES
from app.settings import Settings

_PHOTOGRAPHS = 32
"""So many of the largest may be decoded at once."""

_PHOTOGRAPH_BYTES = 16
"""Of a photograph's pixel, decoding and answer included."""

_BASE_BYTES = 1_300_000_000
"""Python, PyTorch and its libraries, the network, what the allocator keeps; and the decoders' processes."""


@dataclass(frozen=True, slots=True)
class MemoryBound:
    """Bytes of resident memory, at most.

    Attributes:
        base_bytes: of the program, the network and the decoders.
        working_bytes: of what the network computes.
        body_bytes: of requests' bodies and unsent answers.
        photograph_bytes: of photographs.
        large_bytes: of larger images.
    """

    base_bytes: int
    working_bytes: int
    body_bytes: int
    photograph_bytes: int
    large_bytes: int

    @classmethod
    def of(cls, settings: Settings, batch_pixels: int, cores: int) -> "MemoryBound":
        """The bound that settings make.

        Args:
            settings: of the service.
            batch_pixels: of photographs that are predicted together; 0 if they are predicted side by side.
            cores: that they are predicted on, side by side.
        """
        at_once = batch_pixels or cores * settings.photograph_pixels
        return cls(
            base_bytes=_BASE_BYTES,
            working_bytes=WHOLE_BYTES * at_once,
            body_bytes=settings.body_memory_bytes,
            photograph_bytes=_PHOTOGRAPH_BYTES * max(_PHOTOGRAPHS * settings.photograph_pixels, 2 * batch_pixels),
            large_bytes=settings.image_memory_bytes,
        )

    @property
    def total_bytes(self) -> int:
        """A body is twice there while its parts are joined."""
        images = self.photograph_bytes + self.large_bytes
        return self.base_bytes + self.working_bytes + 2 * self.body_bytes + images

    def __str__(self) -> str:
        parts = {
            "program and network": self.base_bytes + self.working_bytes,
            "bodies": 2 * self.body_bytes,
            "photographs": self.photograph_bytes,
            "larger images": self.large_bytes,
        }
        said = ", ".join(f"{name} {size_bytes / 1e6:.0f}" for name, size_bytes in parts.items())
        return f"at most {self.total_bytes / 1e6:.0f} MB ({said})"

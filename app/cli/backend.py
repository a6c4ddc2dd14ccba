"""The interface of a backend, which segments image files: a network in this process, or a service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from app.cli.result import NamedClass, Result
from app.parameters import FormatName, MaskName, TilingName

Write = Callable[[bytes], object]
Advance = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Request:
    """The parameters for all images.

    Attributes:
        format: output format.
        mask: how JSON represents the mask.
        tiling: how images are cut.
        alpha: opacity of the colours in an overlay, 0..1.
        wants_classes: whether each ``Result`` must have the classes found, even if the output format does not.
    """

    format: FormatName
    mask: MaskName
    tiling: TilingName
    alpha: float
    wants_classes: bool

    @property
    def tells_classes(self) -> bool:
        """Whether the output format contains the classes found."""
        return self.format in ("png", "json")


class Backend(Protocol):
    """Segments images. Ready once created; as a context manager, it ends what it has started. Thread-safe."""

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        ...

    @property
    def classes(self) -> Mapping[int, NamedClass]:
        """The classes by index."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def segment(self, data: bytes, write: Write, advance: Advance) -> Result:
        """Segment one image.

        Args:
            data: the image file.
            write: called with each chunk of the output.
            advance: called with the share of the work, 0..1, done since the last call; its exception ends the work.

        Raises:
            FileError: the image cannot be segmented.
            ServiceGoneError: the service no longer responds.
        """
        ...

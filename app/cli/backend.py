"""What turns image files into answers: a network in this process, or a service."""

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
    """What is wanted of every image.

    Attributes:
        format: of the answer.
        mask: how JSON carries the mask.
        tiling: how images are cut.
        alpha: share of the colours in an overlay, 0..1.
        wants_classes: whether outcomes tell the classes found, also where the answer does not.
    """

    format: FormatName
    mask: MaskName
    tiling: TilingName
    alpha: float
    wants_classes: bool

    @property
    def tells_classes(self) -> bool:
        """Whether an answer tells what was found."""
        return self.format in ("png", "json")


class Backend(Protocol):
    """Ready when it is made; ends what it has started when it is left. Thread-safe."""

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        ...

    @property
    def classes(self) -> Mapping[int, NamedClass]:
        """By their indices."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def segment(self, data: bytes, write: Write, advance: Advance) -> Result:
        """Segment one image.

        Args:
            data: the image file.
            write: is called with the parts of the answer.
            advance: is called with the share of the work, 0..1, that is done since the last call; what it raises ends
                the work.

        Raises:
            FileError: the image cannot be segmented.
            ServiceGoneError: nothing can any more.
        """
        ...

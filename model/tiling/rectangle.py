"""An axis-parallel rectangle of pixels."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Rows ``top`` to ``bottom - 1`` and columns ``left`` to ``right - 1``."""

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def right(self) -> int:
        return self.left + self.width

"""What a client asked for."""

from dataclasses import dataclass

from app.formats.rendering import MaskEncoding, OutputFormat, Rendering
from model.tiling import Tiling


@dataclass(frozen=True, slots=True)
class Options:
    """The parameters of ``POST /segment``, decided; or another protocol's, whose answers have a form of their own."""

    output: OutputFormat | Rendering
    mask: MaskEncoding = MaskEncoding.NONE
    tiling: Tiling = Tiling.AUTO
    alpha: float = 0.5

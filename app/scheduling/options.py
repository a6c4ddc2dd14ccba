"""What a client asked for."""

from dataclasses import dataclass

from app.rendering import MaskEncoding, OutputFormat
from model.tiling import Tiling


@dataclass(frozen=True, slots=True)
class Options:
    """The parameters of ``POST /segment``, decided."""

    output: OutputFormat
    mask: MaskEncoding
    tiling: Tiling
    alpha: float

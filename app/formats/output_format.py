"""The output formats of ``POST /segment`` and of the command line, by name."""

from enum import StrEnum

from app.formats.confidence import ConfidencePng
from app.formats.format import Format
from app.formats.json import JsonDocument, MaskEncoding
from app.formats.mask import MaskPng
from app.formats.overlay import OverlayPng


class OutputFormat(StrEnum):
    """Output formats of ``POST /segment``."""

    PNG = "png"
    JSON = "json"
    OVERLAY = "overlay"
    CONFIDENCE = "confidence"

    @property
    def media_type(self) -> str:
        return _CLASSES[self].media_type

    @property
    def suffix(self) -> str:
        """File name suffix."""
        return _CLASSES[self].suffix

    def with_parameters(self, mask: MaskEncoding, alpha: float) -> Format:
        """Make the format, with the parameters that apply to it.

        Args:
            mask: how JSON carries the mask.
            alpha: opacity of the classes' colours in an overlay, 0..1.
        """
        match self:
            case OutputFormat.JSON:
                return JsonDocument(mask)
            case OutputFormat.OVERLAY:
                return OverlayPng(alpha)
            case _:
                return _CLASSES[self]()


_CLASSES: dict[OutputFormat, type[MaskPng | JsonDocument | OverlayPng | ConfidencePng]] = {
    OutputFormat.PNG: MaskPng,
    OutputFormat.JSON: JsonDocument,
    OutputFormat.OVERLAY: OverlayPng,
    OutputFormat.CONFIDENCE: ConfidencePng,
}

"""The formats of ``POST /segment`` and of the command line, by their names."""

from enum import StrEnum

from app.formats.confidence import ConfidencePng
from app.formats.format import Format
from app.formats.json import JsonDocument, MaskEncoding
from app.formats.mask import MaskPng
from app.formats.overlay import OverlayPng


class OutputFormat(StrEnum):
    """What ``POST /segment`` answers with."""

    PNG = "png"
    JSON = "json"
    OVERLAY = "overlay"
    CONFIDENCE = "confidence"

    @property
    def media_type(self) -> str:
        return _CLASSES[self].media_type

    @property
    def suffix(self) -> str:
        """Suffix of the names of its files."""
        return _CLASSES[self].suffix

    def with_parameters(self, mask: MaskEncoding, alpha: float) -> Format:
        """The format, with the parameters that concern it.

        Args:
            mask: how JSON carries the mask.
            alpha: share of the classes' colours in an overlay, 0..1.
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

"""Content negotiation by the Accept header (RFC 9110, section 12.5.1).

Written by hand: python-mimeparse is case-sensitive, treats an invalid quality as 1 and raises on a range without a
slash; Werkzeug's parser handles all of these correctly, but is part of a second web framework.
"""

from app.formats.output_format import OutputFormat
from app.problems import NOT_ACCEPTABLE, ProblemError

_OFFERED = (OutputFormat.PNG, OutputFormat.JSON)


def negotiate(accept: str | None) -> OutputFormat:
    """The offered format that the header prefers; PNG if there is a tie or no header.

    Raises:
        ProblemError: the header accepts neither.
    """
    if accept is None or not accept.strip():
        return OutputFormat.PNG
    ranges = [_parse_range(text) for text in accept.split(",") if text.strip()]
    best = max(_OFFERED, key=lambda offered: _quality(offered.media_type, ranges))
    if _quality(best.media_type, ranges) <= 0:
        offered = ", ".join(offered.media_type for offered in _OFFERED)
        raise ProblemError(NOT_ACCEPTABLE, f"nothing offered fits Accept: {accept[:200]}; offered are {offered}")
    return best


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """Quality of the most specific range that matches a media type; 0 if none does."""
    family = media_type.split("/", maxsplit=1)[0] + "/*"
    for pattern in (media_type, family, "*/*"):
        matching = [quality for name, quality in ranges if name == pattern]
        if matching:
            return max(matching)
    return 0.0


def _parse_range(text: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return name, min(1.0, max(0.0, float(value)))
            except ValueError:
                return name, 0.0
    return name, 1.0

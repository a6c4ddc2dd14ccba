"""A sheet of panels in rows and columns, with headings and a legend of their colours."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from model.labels import IGNORE_INDEX, Color, Labels
from training.evaluation.panels import Panel

_GAP = 8
_LINE = 20
_SWATCH = 14
_INK = (60, 60, 60)
_FONT_SIZE = 13
_HEADING_SIZE = 16

Row = Sequence[Panel] | str
"""A row of one or more panels, or a heading."""

Meaning = tuple[str, Color]
"""Entry of the legend: the meaning of a colour, and the colour."""


def draw_sheet(rows: Sequence[Row], labels: Labels) -> Image.Image:
    """Draw rows of panels on white, each panel centred in its cell, with the legend below.

    Args:
        rows: rows to draw, at least one of them of panels; lengths may differ.
        labels: names and colours of the classes in the panels.

    Returns:
        RGB.
    """
    panels = [row for row in rows if not isinstance(row, str)]
    number = max(len(row) for row in panels)
    columns = [max(row[column].picture.width for row in panels if column < len(row)) for column in range(number)]
    strips = [_heading(row) if isinstance(row, str) else _row(row, columns) for row in rows]
    meanings = _meanings([panel for row in panels for panel in row], labels)
    if meanings:
        strips.append(_legend(meanings, max(strip.width for strip in strips)))
    return _below_each_other(strips)


def _heading(text: str) -> Image.Image:
    font = _font(_HEADING_SIZE)
    strip = Image.new("RGB", (math.ceil(font.getlength(text)), _LINE), "white")
    ImageDraw.Draw(strip).text((0, _LINE / 2), text, fill=_INK, font=font, anchor="lm")
    return strip


def _row(panels: Sequence[Panel], columns: Sequence[int]) -> Image.Image:
    """Draw panels beside each other, with their captions below."""
    height = max(panel.picture.height for panel in panels)
    caption = _LINE if any(panel.caption for panel in panels) else 0
    strip = Image.new("RGB", (sum(columns) + _GAP * (len(columns) - 1), height + caption), "white")
    draw = ImageDraw.Draw(strip)
    left = 0
    for panel, width in zip(panels, columns, strict=False):
        picture = panel.picture
        strip.paste(picture, (left + (width - picture.width) // 2, (height - picture.height) // 2))
        middle = (left + width / 2, height + _LINE / 2)
        draw.text(middle, _shortened(panel.caption, width), fill=_INK, font=_font(), anchor="mm")
        left += width + _GAP
    return strip


def _meanings(panels: Sequence[Panel], labels: Labels) -> list[Meaning]:
    """Return name and colour of each class shown, void last, followed by the panels' other meanings of colours."""
    indices = sorted(frozenset[int]().union(*(panel.indices for panel in panels)))
    names = ["void" if index == IGNORE_INDEX else labels.names[index] for index in indices]
    colors = [labels.void_color if index == IGNORE_INDEX else labels.colors[index] for index in indices]
    others = {name: color for panel in panels for name, color in panel.meanings.items()}
    return [*zip(names, colors, strict=True), *others.items()]


def _legend(meanings: Sequence[Meaning], width: int) -> Image.Image:
    """Draw a swatch and a name for each colour, in as many lines as needed; at least as wide as the longest entry."""
    lengths = [_SWATCH + _GAP // 2 + round(_font().getlength(name)) + 2 * _GAP for name, _ in meanings]
    width = max(width, *lengths)
    places = _places(lengths, width)
    legend = Image.new("RGB", (width, places[-1][1] + _LINE), "white")
    draw = ImageDraw.Draw(legend)
    for (left, top), (name, color) in zip(places, meanings, strict=True):
        swatch = (left, top + 3, left + _SWATCH, top + 3 + _SWATCH)
        draw.rectangle(swatch, fill=color, outline=_INK)
        draw.text((left + _SWATCH + _GAP // 2 + 1, top + _LINE / 2), name, fill=_INK, font=_font(), anchor="lm")
    return legend


def _places(lengths: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Left and top of each entry, given their lengths, wrapped to lines of a width."""
    places: list[tuple[int, int]] = []
    left = top = 0
    for length in lengths:
        if left and left + length > width:
            left, top = 0, top + _LINE
        places.append((left, top))
        left += length
    return places


def _below_each_other(strips: Sequence[Image.Image]) -> Image.Image:
    width = max(strip.width for strip in strips) + 2 * _GAP
    sheet = Image.new("RGB", (width, sum(strip.height + _GAP for strip in strips) + _GAP), "white")
    top = _GAP
    for strip in strips:
        sheet.paste(strip, (_GAP, top))
        top += strip.height + _GAP
    return sheet


def _font(size: int = _FONT_SIZE) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _shortened(text: str, width: int) -> str:
    """Truncate a text to a width in pixels, with an ellipsis."""
    if _font().getlength(text) <= width:
        return text
    while text and _font().getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."

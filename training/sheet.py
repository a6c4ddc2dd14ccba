"""A sheet of panels in rows and columns, with a legend of the classes that they show."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from model.labels import IGNORE_INDEX, Labels
from training.pictures import Panel

_GAP = 8
_LINE = 20
_SWATCH = 14
_INK = (60, 60, 60)
_FONT_SIZE = 13


def draw_sheet(rows: Sequence[Sequence[Panel]], labels: Labels) -> Image.Image:
    """Rows of panels on white, each panel in the middle of its cell, and below them the legend.

    Args:
        rows: at least one, of at least one panel each; the last may be shorter.
        labels: names and colours of the classes in the panels.

    Returns:
        RGB.
    """
    number = max(len(row) for row in rows)
    columns = [max(row[column].picture.width for row in rows if column < len(row)) for column in range(number)]
    indices = sorted(frozenset[int]().union(*(panel.indices for row in rows for panel in row)))
    strips = [_row(row, columns) for row in rows]
    if indices:
        strips.append(_legend(indices, labels, strips[0].width))
    return _below_each_other(strips)


def _row(panels: Sequence[Panel], columns: Sequence[int]) -> Image.Image:
    """Panels beside each other, their captions below."""
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


def _legend(indices: Sequence[int], labels: Labels, width: int) -> Image.Image:
    """A swatch and a name for each index, in as many lines as they need; at least as wide as the longest."""
    names = ["void" if index == IGNORE_INDEX else labels.names[index] for index in indices]
    lengths = [_SWATCH + _GAP // 2 + round(_font().getlength(name)) + 2 * _GAP for name in names]
    width = max(width, *lengths)
    places = _places(lengths, width)
    legend = Image.new("RGB", (width, places[-1][1] + _LINE), "white")
    draw = ImageDraw.Draw(legend)
    for (left, top), index, name in zip(places, indices, names, strict=True):
        swatch = (left, top + 3, left + _SWATCH, top + 3 + _SWATCH)
        draw.rectangle(swatch, fill=tuple(labels.palette[index].tolist()), outline=_INK)
        draw.text((left + _SWATCH + _GAP // 2 + 1, top + _LINE / 2), name, fill=_INK, font=_font(), anchor="lm")
    return legend


def _places(lengths: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Left and top of things of some lengths, set like words in lines of a width."""
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


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_SIZE)


def _shortened(text: str, width: int) -> str:
    """As much of a text as fits, with an ellipsis where something is missing."""
    if _font().getlength(text) <= width:
        return text
    while text and _font().getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."

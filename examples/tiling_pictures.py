"""Pictures of docs/tiling.md with the shipped network: ``python -m examples.tiling_pictures PHOTOGRAPH FOLDER``.

Prints the share of pixels that differ from the whole image's mask, for each way to split an image.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.checkpoint import Checkpoint
from model.labels import Labels
from model.networks.fcn import aligned
from model.segmenter import Segmenter
from model.tiling import Rectangle, Tiling, TilingLimits, sliding_windows

Picture = NDArray[np.uint8]
Mask = NDArray[np.uint8]

_TILE = 160
_LIMITS = TilingLimits(band_pixels=1 << 14, overlap_height=_TILE, overlap_width=_TILE)
"""Small tiling limits, so that a small photograph is split into several parts."""

_ENLARGED = 4
"""Factor of enlargement: the network sees a thousand pixels around each cell, more than the photograph has."""

_GAP = 8
_RED = (200, 30, 30)
_PALE = (235, 235, 235)
_LINE = (255, 255, 255)
_COLORS = 255

_GRAIN = 12
_DECADES = 2.5
_DARK = 0.2


@dataclass(frozen=True, slots=True)
class Cut:
    """A way to split the photograph.

    Attributes:
        name: name of the way.
        rectangles: parts of the image that the network sees at a time.
        mask: (height, width) uint8 class indices.
        pixels: total pixels of the rectangles over those of the image.
    """

    name: str
    rectangles: list[Rectangle]
    mask: Mask
    pixels: float


def load_segmenter() -> Segmenter:
    """Load the shipped network with limits that split small images."""
    return Segmenter.load(limits=_LIMITS, device="cpu")


def cuts(segmenter: Segmenter, photograph: Picture) -> list[Cut]:
    """Predict the photograph split in four ways; the first does not split it."""
    height, width = photograph.shape[:2]
    overlapping = sliding_windows(height, width, _TILE, _TILE)
    return [
        _cut("whole", [Rectangle(0, 0, height, width)], segmenter.segment(photograph, tiling=Tiling.WHOLE).mask),
        _cut("exact", _bands(height, width), segmenter.segment(photograph, tiling=Tiling.EXACT).mask),
        _cut("overlap", overlapping, segmenter.segment(photograph, tiling=Tiling.OVERLAP).mask),
        _cut("tiles one by one", tiles := _tiles(height, width), _one_by_one(segmenter, photograph, tiles)),
    ]


def sensitivity(checkpoint: Checkpoint, photograph: Picture) -> NDArray[np.float32]:
    """How strongly each pixel of the enlarged photograph affects the score of the winning class at its centre.

    Returns:
        (height, width) float32: the greatest absolute gradient over the colours; 0 if a pixel has no influence.
    """
    enlarged = _enlarged(photograph)
    network = checkpoint.build()
    padded = checkpoint.preprocessing.pad(enlarged, aligned(enlarged.shape[0]), aligned(enlarged.shape[1]))
    image = checkpoint.preprocessing(torch.from_numpy(padded).permute(2, 0, 1)[None]).requires_grad_()
    scores = network.scores(image)
    scores[0, :, scores.shape[2] // 2, scores.shape[3] // 2].max().backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    seen: NDArray[np.float32] = image.grad[0].abs().amax(dim=0).numpy()
    return seen[: enlarged.shape[0], : enlarged.shape[1]]


def extent(seen: NDArray[np.float32]) -> Rectangle:
    """Bounding box of the pixels that have an influence."""
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return Rectangle(top, left, int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left)


def parts_picture(photograph: Picture, ways: Sequence[Cut]) -> Image.Image:
    """The photograph with the parts that the network sees at a time, one way beside the other."""
    return _row([_outlined(photograph, way.rectangles) for way in ways])


def masks_picture(ways: Sequence[Cut], labels: Labels) -> Image.Image:
    """The masks, and below them in red the pixels that differ from the first mask."""
    masks = _row([labels.colormap(way.mask) for way in ways])
    differences = [np.where((way.mask != ways[0].mask)[..., None], _RED, _PALE).astype(np.uint8) for way in ways]
    sheet = Image.new("RGB", (masks.width, 2 * masks.height + _GAP), "white")
    sheet.paste(masks, (0, 0))
    sheet.paste(_row(differences), (0, masks.height + _GAP))
    return sheet


def sensitivity_picture(photograph: Picture, seen: NDArray[np.float32]) -> Image.Image:
    """The photograph, bright where pixels affect the centre, with the border of the receptive field."""
    enlarged = _enlarged(photograph)
    coarse = Image.fromarray(seen).reduce(_GRAIN)
    weight = np.asarray(coarse.resize((enlarged.shape[1], enlarged.shape[0]), Image.Resampling.BILINEAR))
    light = np.clip(1 + np.log10(weight / weight.max() + 1e-9) / _DECADES, _DARK, 1)[..., None]
    picture = Image.fromarray((enlarged * light).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    place = extent(seen)
    draw.rectangle((place.left, place.top, place.right - 1, place.bottom - 1), outline=_LINE, width=6)
    row, column = seen.shape[0] // 2, seen.shape[1] // 2
    draw.ellipse((column - 16, row - 16, column + 16, row + 16), fill=_RED, outline=_LINE, width=4)
    return picture.resize((picture.width // 3, picture.height // 3), Image.Resampling.LANCZOS)


def _cut(name: str, rectangles: list[Rectangle], mask: Mask) -> Cut:
    return Cut(name, rectangles, mask, sum(part.height * part.width for part in rectangles) / mask.size)


def _bands(height: int, width: int) -> list[Rectangle]:
    rows = _LIMITS.band_rows(height, width)
    return [Rectangle(top, 0, min(rows, height - top), width) for top in range(0, height, rows)]


def _tiles(height: int, width: int) -> list[Rectangle]:
    return [
        Rectangle(top, left, min(_TILE, height - top), min(_TILE, width - left))
        for top in range(0, height, _TILE)
        for left in range(0, width, _TILE)
    ]


def _one_by_one(segmenter: Segmenter, photograph: Picture, tiles: Sequence[Rectangle]) -> Mask:
    """Predict tiles independently of each other."""
    mask = np.empty(photograph.shape[:2], dtype=np.uint8)
    for tile in tiles:
        place = slice(tile.top, tile.bottom), slice(tile.left, tile.right)
        mask[place] = segmenter.segment(np.ascontiguousarray(photograph[place])).mask
    return mask


def _enlarged(photograph: Picture) -> Picture:
    height, width = photograph.shape[:2]
    size = width * _ENLARGED, height * _ENLARGED
    return np.asarray(Image.fromarray(photograph).resize(size, Image.Resampling.BICUBIC))


def _outlined(photograph: Picture, rectangles: Sequence[Rectangle]) -> Picture:
    picture = Image.fromarray(photograph)
    draw = ImageDraw.Draw(picture)
    for place in rectangles:
        draw.rectangle((place.left, place.top, place.right - 1, place.bottom - 1), outline=_LINE, width=2)
    return np.asarray(picture)


def _row(pictures: Sequence[Picture]) -> Image.Image:
    height, width = pictures[0].shape[:2]
    sheet = Image.new("RGB", (len(pictures) * (width + _GAP) - _GAP, height), "white")
    for number, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), (number * (width + _GAP), 0))
    return sheet


def _save(picture: Image.Image, path: Path) -> None:
    picture.quantize(_COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


def main(photograph_path: Path, folder: Path) -> None:
    """Write the pictures, and print their figures."""
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(photograph_path) as picture:
        photograph = np.asarray(picture.convert("RGB"))
    segmenter = load_segmenter()
    ways, seen = cuts(segmenter, photograph), sensitivity(segmenter.checkpoint, photograph)
    _save(parts_picture(photograph, ways), folder / "parts.png")
    _save(masks_picture(ways, segmenter.checkpoint.labels), folder / "masks.png")
    _save(sensitivity_picture(photograph, seen), folder / "sensitivity.png")
    for way in ways:
        print(
            f"{way.name}: {(way.mask != ways[0].mask).mean():.2%} of the pixels differ; read: {way.pixels:.2f} of them"
        )
    place = extent(seen)
    print(f"a cell sees {place.width} x {place.height} pixels")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

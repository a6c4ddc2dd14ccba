"""Reading label pictures of all common kinds as class indices."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from model.errors import LabelsError
from model.images import upright
from model.labels import IGNORE_INDEX, Labels
from training.errors import DatasetError


def read_mask(file: Path, labels: Labels) -> NDArray[np.uint8]:
    """Read the class index of each pixel.

    Supported: palette and grey pictures of indices; grey or colour with alpha, where transparent pixels are void; RGB
    pictures in the classes' colours; RGB pictures whose three equal channels are indices.

    The file's own EXIF orientation is applied, as the image's own is to the image.

    Args:
        file: label picture to read.
        labels: class table.

    Returns:
        (height, width), uint8: 0..K-1, or 255.

    Raises:
        DatasetError: the file cannot be decoded, holds an index or colour of no class or half-transparent pixels, or
            its indices and its colours denote different classes.
    """
    picture = _open(file)
    try:
        return _indices(picture, labels)
    except LabelsError as error:
        raise DatasetError(f"{file}: {error}") from error


def _open(file: Path) -> Image.Image:
    if not file.is_file():
        raise DatasetError(f"{file} is missing")
    try:
        picture: Image.Image = Image.open(file)
        factor = _stretch(picture)
        picture.load()
        if factor > 1:
            picture = picture.point(lambda value: value // factor)
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{file} cannot be decoded: {error}") from error
    return upright(picture)


def _stretch(picture: Image.Image) -> int:
    """Factor by which Pillow multiplies greys of 2 and 4 bits when it loads them."""
    tiles = picture.tile if isinstance(picture, ImageFile.ImageFile) else []
    arguments = tiles[0].args if tiles else ""
    raw_mode = arguments if isinstance(arguments, str) else next(iter(arguments or ()), "")
    return {"L;2": 85, "L;4": 17}.get(str(raw_mode), 1)


def _indices(picture: Image.Image, labels: Labels) -> NDArray[np.uint8]:
    alpha = None
    if picture.mode in {"LA", "RGBA", "PA"}:
        alpha = np.asarray(picture.getchannel("A"))
        if not np.isin(alpha, (0, 255)).all():
            raise LabelsError("some pixels are half transparent; a pixel's class is known or it is not")
    if picture.mode in {"P", "PA"}:
        mask = _from_palette(picture, labels)
    elif picture.mode in {"L", "LA", "1"} or picture.mode.startswith("I"):
        mask = _require_classes(_grey(picture), labels, alpha)
    else:
        mask = _from_colors(np.asarray(picture.convert("RGB")), labels, alpha)
    return mask if alpha is None else np.where(alpha == 0, np.uint8(IGNORE_INDEX), mask)


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    values = np.asarray(picture.getchannel("L") if picture.mode == "LA" else picture).astype(np.int64)
    if values.max(initial=0) > IGNORE_INDEX or values.min(initial=0) < 0:
        raise LabelsError(f"grey value {int(values.max())} is not a class: there are {IGNORE_INDEX} at most")
    return values.astype(np.uint8)


def _from_palette(picture: Image.Image, labels: Labels) -> NDArray[np.uint8]:
    """Return the stored indices; raise LabelsError if the palette's colours denote other classes."""
    stored = np.asarray(picture.getchannel("P") if picture.mode == "PA" else picture)
    mask = _require_classes(stored, labels, None)
    palette = np.array(picture.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    used = [index for index in np.unique(mask).tolist() if index < min(len(palette), len(labels))]
    meant = labels.indices(palette[used][None], unmapped_as_void=True)[0].tolist()
    for index, other in zip(used, meant, strict=True):
        is_color_of_none = other == IGNORE_INDEX and tuple(palette[index].tolist()) != labels.void_color
        if other != index and not is_color_of_none:
            name = "void" if other == IGNORE_INDEX else f"class {other}, {labels.names[other]}"
            raise LabelsError(f"index {index} is stored in the colour of {name}: indices and colours are mixed up")
    return mask


def _from_colors(colors: NDArray[np.uint8], labels: Labels, alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    known = np.ones(colors.shape[:2], dtype=bool) if alpha is None else alpha > 0
    visible = np.where(known[..., None], colors, np.array(labels.void_color, dtype=np.uint8))
    by_color = labels.indices(visible, unmapped_as_void=True)
    foreign = (by_color == IGNORE_INDEX) & (visible != labels.void_color).any(axis=-1)
    if not foreign.any():
        return by_color
    grey = (visible == visible[..., :1]).all(axis=-1) | ~known
    indices = visible[..., 0]
    if not (grey[foreign] & (indices[foreign] < len(labels))).any():
        return labels.indices(visible)  # raises, naming the colour that belongs to no class
    if grey.all():
        return _require_classes(np.where(known, indices, np.uint8(IGNORE_INDEX)), labels, None)
    raise LabelsError(
        f"colours of classes and grey indices are mixed up: {int(foreign.sum())} pixels such as "
        f"{tuple(visible[foreign][0].tolist())} are not the colour of a class"
    )


def _require_classes(mask: NDArray[np.uint8], labels: Labels, alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    foreign = (mask >= len(labels)) & (mask != IGNORE_INDEX)
    if alpha is not None:
        foreign &= alpha > 0
    if foreign.any():
        row, column = np.argwhere(foreign)[0].tolist()
        raise LabelsError(
            f"index {int(mask[row, column])} at row {row}, column {column} is not a class: there are {len(labels)} "
            f"({int(foreign.sum())} such pixels)"
        )
    return mask

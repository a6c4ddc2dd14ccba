"""A folder of image files without labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.errors import DatasetError

pillow_heif.register_heif_opener()  # what phones write


@dataclass(frozen=True, slots=True)
class Photograph:
    """One image.

    Attributes:
        name: of its file.
        image: (height, width, 3), uint8 RGB.
    """

    name: str
    image: NDArray[np.uint8]


class ImageFolder:
    """The images of a folder by name, read when asked for; hidden files and folders in it are left out.

    Args:
        root: the folder.

    Raises:
        DatasetError: there is no such folder, or no file in it.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DatasetError(f"there is no folder {root}")
        self.files = sorted(file for file in root.iterdir() if file.is_file() and not file.name.startswith("."))
        if not self.files:
            raise DatasetError(f"folder {root} holds no file")

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Photograph:
        """Image number ``index``, turned as its EXIF orientation says, on white where it is transparent.

        Raises:
            DatasetError: the file cannot be decoded; the message names it.
        """
        file = self.files[index]
        try:
            with Image.open(file) as picture:
                upright = ImageOps.exif_transpose(picture)
                return Photograph(file.name, np.asarray(_on_white(upright)))
        # Decoders of any file raise whatever they like; all of it means the same here.
        except Exception as error:
            raise DatasetError(f"{file} cannot be read as an image: {error}") from error


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
